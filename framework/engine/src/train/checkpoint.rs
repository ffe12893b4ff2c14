//! The whole state of training as one safetensors file, so that resuming equals never having stopped.

use super::{History, Trainer};
use crate::error::{DIVERGED, Error, Result};
use crate::io::{safetensors, to_array, to_tensor};
use crate::trained::Trained;
use std::collections::BTreeMap;
use std::path::Path;
use tch::Tensor;

/// Everything that training remembers between two steps.
#[derive(Debug)]
pub struct State {
    /// Steps taken.
    pub step: u64,
    /// Flat tensors by name: parameters, running mean, moments, and the loss sums of the epoch so far.
    pub tensors: Vec<(String, Tensor)>,
    /// The loss terms of the epochs so far.
    pub history: History,
}

impl State {
    /// Saves it, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let history =
            serde_json::to_string(&self.history).map_err(|e| Error::runtime(e.to_string()))?;
        let metadata = BTreeMap::from([
            ("step".to_owned(), self.step.to_string()),
            ("history".to_owned(), history),
        ]);
        let arrays = self.tensors.iter().map(|(name, tensor)| to_array(name, tensor));
        safetensors::write_safetensors(path, &arrays.collect::<Result<Vec<_>>>()?, &metadata)
    }

    /// Loads it.
    pub fn load(path: &Path) -> Result<Self> {
        let file = safetensors::read_safetensors(path)?;
        let missing = |what: &str| Error::data(path, format!("not a checkpoint: it has no {what}"));
        let text = |key: &str| file.metadata.get(key).ok_or_else(|| missing(key));
        let step = text("step")?.parse().map_err(|_| missing("step"))?;
        let history = serde_json::from_str(text("history")?).map_err(|_| missing("history"))?;
        let tensors = file.arrays.iter().map(|array| Ok((array.name.clone(), to_tensor(array)?)));
        Ok(Self { step, tensors: tensors.collect::<Result<_>>()?, history })
    }
}

impl Trainer {
    /// The state of training, to be saved. One that has diverged is an error: nothing good is replaced by it.
    pub fn state(&self) -> Result<State> {
        if !self.is_finite() {
            let message =
                format!("the parameters are no longer finite at step {}\n  {DIVERGED}", self.step);
            return Err(Error::runtime(message));
        }
        let copy = |(name, t): (String, &Tensor)| (name, t.copy());
        let tensors = self.tensors()?.into_iter().map(copy).collect();
        Ok(State { step: self.step, tensors, history: self.history.clone() })
    }

    /// What steps change, by name.
    pub(super) fn tensors(&self) -> Result<Vec<(String, &Tensor)>> {
        let Trained { parameters, ema, .. } = &self.trained;
        let mut tensors =
            vec![("parameters".to_owned(), &parameters.flat), ("sums".to_owned(), &self.sums)];
        tensors.extend(ema.iter().map(|ema| ("ema".to_owned(), ema)));
        let names = self.optimizer.moments()?.into_iter().map(|(name, _)| format!("moment.{name}"));
        tensors.extend(names.zip(&self.state.moments));
        Ok(tensors)
    }

    /// Continues from a saved state of the same experiment.
    ///
    /// # Errors
    /// A state that this experiment cannot have come to; nothing is changed then.
    pub fn restore(&mut self, state: State) -> Result<()> {
        state.history.check(state.step, self.steps_per_epoch(), self.total_steps())?;
        let find = |name: &str, like: &Tensor| -> Result<Tensor> {
            let found = state.tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t);
            match found {
                Some(t) if t.size() == like.size() => Ok(t.to_device(self.trained.device())),
                Some(t) => Err(Error::runtime(format!(
                    "the checkpoint's {name} has {} values, the model {}",
                    t.numel(),
                    like.numel()
                ))),
                None => Err(Error::runtime(format!("the checkpoint has no {name}"))),
            }
        };
        let parameters = find("parameters", &self.trained.parameters.flat)?;
        let ema = self.trained.ema.as_ref().map(|ema| find("ema", ema)).transpose()?;
        let names = self.optimizer.moments()?;
        let moments = names
            .iter()
            .zip(&self.state.moments)
            .map(|((name, _), m)| find(&format!("moment.{name}"), m))
            .collect::<Result<Vec<_>>>()?;
        let sums = find("sums", &self.sums)?;
        tch::no_grad(|| self.trained.parameters.flat.copy_(&parameters));
        self.trained.ema = ema;
        self.state.moments = moments;
        self.sums = sums;
        self.step = state.step;
        self.history = state.history;
        self.pairing = None;
        Ok(())
    }

    /// Takes over what a training of the same experiment came to.
    pub fn take_over(&mut self, trained: Trained, history: History) -> Result<()> {
        let total = self.total_steps();
        history.check(total, self.steps_per_epoch(), total)?;
        self.trained = trained;
        self.step = total;
        self.history = history;
        Ok(())
    }

    /// Whether every parameter is.
    pub(super) fn is_finite(&self) -> bool {
        self.trained.parameters.flat.isfinite().all().int64_value(&[]) != 0
    }
}

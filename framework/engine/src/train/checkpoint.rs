//! The complete state of training in one safetensors file, so that a resumed training gives the
//! same result as one that never stopped.

use super::{History, Trainer};
use crate::error::{Error, Result};
use crate::io::{safetensors, to_array, to_tensor};
use crate::kernels;
use crate::trained::Trained;
use std::collections::BTreeMap;
use std::path::Path;
use tch::Tensor;

/// The tensor of the sum of the gradient's norms in a checkpoint.
const NORMS: &str = "norms";

/// State of training between two steps.
#[derive(Debug)]
pub struct State {
    /// Number of steps taken.
    pub step: u64,
    /// Flat tensors by name: parameters, EMA, moments of the optimizer, and sums of the epoch's
    /// losses so far.
    pub tensors: Vec<(String, Tensor)>,
    /// Losses of the epochs so far.
    pub history: History,
}

impl State {
    /// Writes a checkpoint, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`]: the file cannot be written. [`Error::Runtime`]: the history cannot be
    /// expressed in JSON.
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

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read, is damaged, or is no checkpoint.
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
    /// Copies the state of training, to be saved.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the training has [diverged](Self::divergence), so that its state should
    /// not replace a checkpoint.
    pub fn state(&self) -> Result<State> {
        if let Some(divergence) = self.divergence()? {
            return Err(divergence.error(&self.history.restores, None));
        }
        let copy = |(name, t): (String, &Tensor)| (name, t.copy());
        let tensors = self.tensors()?.into_iter().map(copy).collect();
        Ok(State { step: self.step, tensors, history: self.history.clone() })
    }

    /// The tensors that steps change, and the variables that none changes, by name.
    pub(super) fn tensors(&self) -> Result<Vec<(String, &Tensor)>> {
        let Trained { parameters, ema, .. } = &self.trained;
        let mut tensors = vec![
            ("parameters".to_owned(), &parameters.flat),
            ("sums".to_owned(), self.course.terms()),
            (NORMS.to_owned(), self.course.norms()),
        ];
        tensors.extend(ema.iter().map(|ema| ("ema".to_owned(), ema)));
        let names = self.optimizer.moments()?.into_iter().map(|(name, _)| format!("moment.{name}"));
        tensors.extend(names.zip(&self.state.moments));
        let fixed = parameters.fixed().iter();
        tensors.extend(fixed.map(|(name, tensor)| (format!("fixed.{name}"), tensor)));
        Ok(tensors)
    }

    /// Restores a saved state of the same experiment.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the experiment cannot have such a state; the trainer stays as it was
    /// then.
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
        let sums = find("sums", self.course.terms())?;
        // Earlier versions saved neither these norms nor the variables that are never learned.
        let saved = |name: &str| state.tensors.iter().any(|(saved, _)| saved == name);
        let norms = match saved(NORMS) {
            true => find(NORMS, self.course.norms())?,
            false => self.course.norms().zeros_like(),
        };
        let mut fixed = Vec::new();
        for (name, own) in self.trained.parameters.fixed() {
            let name = format!("fixed.{name}");
            if saved(&name) {
                fixed.push((own.shallow_clone(), find(&name, own)?));
            }
        }
        tch::no_grad(|| {
            self.trained.parameters.flat.copy_(&parameters);
            for (mut own, saved) in fixed {
                own.copy_(&saved);
            }
        });
        self.trained.ema = ema;
        self.state.moments = moments;
        self.course.restore(&sums, &norms);
        self.step = state.step;
        self.history = state.history;
        self.pairing = None;
        Ok(())
    }

    /// Replaces the state by the result of a complete training of the same experiment.
    ///
    /// # Errors
    /// [`Error::Runtime`]: `history` is not that of a complete training.
    pub fn take_over(&mut self, trained: Trained, history: History) -> Result<()> {
        let total = self.total_steps();
        let step = history.epochs.last().map_or(0, |epoch| epoch.step);
        history.check(step, self.steps_per_epoch(), total)?;
        if step < total && self.stopping.stop(&history.epochs)?.is_none() {
            let message = format!(
                "does not fit this run: its history ends at step {step}, the training at step {total}"
            );
            return Err(Error::runtime(message));
        }
        self.trained = trained;
        self.step = step;
        self.history = history;
        Ok(())
    }

    /// True if every parameter is finite.
    pub(super) fn is_finite(&self) -> bool {
        let flat = &self.trained.parameters.flat;
        // One pass, unless a square is infinite.
        kernels::squares(flat).double_value(&[]).is_finite()
            || flat.isfinite().all().int64_value(&[]) != 0
    }
}

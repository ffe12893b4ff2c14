//! The whole state of training as one safetensors file, so that resuming equals never having stopped.

use super::History;
use crate::error::{Error, Result};
use crate::io::{safetensors, to_array, to_tensor};
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

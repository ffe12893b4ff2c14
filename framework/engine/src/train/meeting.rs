//! The beginning of a training in a group: all processes have the same experiment, and take over
//! the state of rank 0.

use super::Trainer;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use tch::Tensor;

/// Keys in which the processes may differ: they concern their machines.
const FREE: [&str; 5] = ["device", "threads", "output_dir", "plugins", "comparison"];

impl Trainer {
    /// Checks that all processes of the group train the same model on the same data, and takes over
    /// the state of rank 0, which alone may have read a checkpoint.
    pub(super) fn meet(&mut self) -> Result<()> {
        if self.group.is_alone() {
            return Ok(());
        }
        let group = self.group.clone();
        group.agree(&self.facts()?)?;
        group.connect(self.trained.device())?;
        let state = serde_json::to_string(&(self.step, &self.history));
        let state = group.tell(&state.map_err(|e| Error::runtime(e.to_string()))?)?;
        let state = serde_json::from_str(&state).map_err(|e| Error::runtime(e.to_string()))?;
        (self.step, self.history) = state;
        tch::no_grad(|| -> Result<()> {
            for (_, tensor) in self.tensors()? {
                group.broadcast(&mut tensor.shallow_clone())?;
            }
            Ok(())
        })
    }

    /// Values that the processes must have in common, by names.
    fn facts(&self) -> Result<BTreeMap<String, String>> {
        let is_free = |key: &str| FREE.contains(&key.split('.').next().unwrap_or_default());
        let keys = self.experiment().keys()?.into_iter().filter(|(key, _)| !is_free(key));
        let mut facts: BTreeMap<_, _> = keys.map(|(key, value)| (key, value.to_string())).collect();
        let identity = &self.data.identity;
        facts.insert("data: rows".to_owned(), identity.rows.to_string());
        facts.insert("data: values".to_owned(), format!("SHA-256 {}", identity.sha256));
        for library in self.experiment().libraries() {
            let name = format!("plugin: {}", library.name);
            facts.insert(name, format!("SHA-256 {}", library.sha256));
        }
        let size = |t: &Tensor| t.numel().to_string();
        for (name, tensor) in self.tensors()? {
            facts.insert(format!("number of {name}"), size(tensor));
        }
        Ok(facts)
    }
}

//! What an experiment's numbers have to satisfy.

use super::Experiment;
use crate::component::shape_text;
use crate::error::{Error, Result};

impl Experiment {
    /// An error if a number lies outside its range, or a key asks for what is not there.
    pub fn check(&self) -> Result<()> {
        let t = &self.training;
        let one = |key: &str, n: i64| match n {
            ..1 => Err(Error::config(key, format!("needs at least 1, got {n}"))),
            _ => Ok(()),
        };
        one("training.batch_size", t.batch_size)?;
        one("training.epochs", t.epochs.try_into().unwrap_or(i64::MAX))?;
        one("training.steps", t.steps.map_or(1, |n| n.try_into().unwrap_or(i64::MAX)))?;
        one("sampling.steps", self.sampling.steps as i64)?;
        one("threads", self.threads.map_or(1, |n| n as i64))?;
        if let Some(ema) = t.ema.filter(|e| !(0.0..1.0).contains(e)) {
            return Err(Error::config("training.ema", format!("needs 0 <= ema < 1, got {ema}")));
        }
        if let Some(longest) = t.clip_grad_norm.filter(|c| c.is_nan() || *c <= 0.0) {
            let message = format!("needs a number above 0, got {longest}");
            return Err(Error::config("training.clip_grad_norm", message));
        }
        if self.sampling.guidance != 1.0 {
            return Err(Error::config(
                "sampling.guidance",
                "this version knows no guidance but 1.0",
            ));
        }
        if self.sampling.churn != 0.0 {
            let message = "this version has no stochastic solver: churn must be 0.0";
            return Err(Error::config("sampling.churn", message));
        }
        if !self.plugins.is_empty() {
            let message = "this version loads no shared libraries";
            return Err(Error::config("plugins", message).help(
                "link the component's crate into a command of your own: see CONTRIBUTING.md",
            ));
        }
        match &self.latent_shape {
            Some(shape) if shape.iter().any(|n| *n < 1) => {
                let message = format!("needs sizes of at least 1, got {}", shape_text(shape));
                Err(Error::config("latent_shape", message))
            }
            _ => Ok(()),
        }
    }
}

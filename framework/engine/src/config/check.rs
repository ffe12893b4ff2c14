//! Dependences between an experiment's keys.

use super::{Experiment, Sampling};
use crate::error::{Error, Result};
use crate::registry::check_group;
use crate::threads;

impl Experiment {
    /// Checks that `threads` is a number that this machine can use.
    pub(crate) fn check_threads(&self) -> Result<()> {
        let most = threads::max_threads();
        match self.threads {
            Some(n) if n > most => {
                let message = format!("needs at most {most}, 4 for each core, got {n}");
                Err(Error::config("threads", message))
            }
            _ => Ok(()),
        }
    }

    /// Checks that every number lies in its range, and that guidance has a model trained for it.
    ///
    /// # Errors
    /// [`Error::Config`]: the key of the first value that is not allowed, with its range.
    pub fn check(&self) -> Result<()> {
        check_group(self)?;
        let Sampling { guidance, guidance_interval: [from, to], .. } = self.sampling;
        if guidance != 1.0 && self.training.condition_dropout == 0.0 {
            let message = "a model that was never trained without its condition cannot be guided";
            return Err(Error::config("sampling.guidance", message)
                .help("train with `training.condition_dropout: 0.1`"));
        }
        if from > to {
            let message = format!("needs from <= to, got [{from}, {to}]");
            return Err(Error::config("sampling.guidance_interval", message));
        }
        Ok(())
    }
}

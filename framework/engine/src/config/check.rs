//! Ranges of an experiment's numbers, and dependences between its keys.

use super::{Experiment, LrSchedule, Sampling};
use crate::component::shape_text;
use crate::error::{Error, Result};
use crate::path::StepGrid;
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
        let t = &self.training;
        let at_most = |key: &str, n: u64, high: u64| match n {
            n if n <= high => Ok(()),
            n => Err(Error::config(key, format!("needs at most {high}, got {n}"))),
        };
        let between = |key: &str, n: u64, high: u64| match n {
            0 => Err(Error::config(key, "needs at least 1, got 0")),
            n => at_most(key, n, high),
        };
        if t.batch_size < 1 {
            let message = format!("needs at least 1, got {}", t.batch_size);
            return Err(Error::config("training.batch_size", message));
        }
        between("training.batch_size", t.batch_size.unsigned_abs(), 1 << 31)?;
        // 0 is allowed: the model is sampled and measured with its initial parameters.
        at_most("training.epochs", t.epochs, 1 << 40)?;
        at_most("training.steps", t.steps.unwrap_or(1), 1 << 50)?;
        between("sampling.steps", self.sampling.steps as u64, 1_000_000)?;
        between("threads", self.threads.unwrap_or(1) as u64, u64::MAX)?;
        let loss = &self.loss;
        let weights = [
            ("loss.recon_weight", loss.recon_weight),
            ("loss.reg_weight", loss.reg_weight),
            ("loss.vae_weight", loss.vae_weight.unwrap_or(0.0)),
            ("loss.kl_weight", loss.kl_weight),
        ];
        if let Some((key, weight)) = weights.iter().find(|(_, w)| !(w.is_finite() && *w >= 0.0)) {
            return Err(Error::config(*key, format!("needs a number of at least 0, got {weight}")));
        }
        if let LrSchedule::Cosine { floor, .. } = t.lr_schedule
            && !(0.0..=1.0).contains(&floor)
        {
            let message = format!("needs 0 <= floor <= 1, got {floor}");
            return Err(Error::config("training.lr_schedule.floor", message));
        }
        if let Some(ema) = t.ema.filter(|e| !(0.0..1.0).contains(e)) {
            return Err(Error::config("training.ema", format!("needs 0 <= ema < 1, got {ema}")));
        }
        if let Some(longest) = t.clip_grad_norm.filter(|c| c.is_nan() || *c <= 0.0) {
            let message = format!("needs a number above 0, got {longest}");
            return Err(Error::config("training.clip_grad_norm", message));
        }
        if !(0.0..1.0).contains(&t.condition_dropout) {
            let message = format!("needs 0 <= condition_dropout < 1, got {}", t.condition_dropout);
            return Err(Error::config("training.condition_dropout", message));
        }
        if let Some(block) = self.sampling.block.filter(|rows| *rows < 1) {
            let message = format!("needs at least 1, got {block}");
            return Err(Error::config("sampling.block", message));
        }
        let Sampling { guidance, guidance_interval: [from, to], .. } = self.sampling;
        if !guidance.is_finite() {
            let message = format!("needs a number, got {guidance}");
            return Err(Error::config("sampling.guidance", message));
        }
        if guidance != 1.0 && t.condition_dropout == 0.0 {
            let message = "a model that was never trained without its condition cannot be guided";
            return Err(Error::config("sampling.guidance", message)
                .help("train with `training.condition_dropout: 0.1`"));
        }
        if !(0.0 <= from && from <= to && to <= 1.0) {
            let message = format!("needs 0 <= from <= to <= 1, got [{from}, {to}]");
            return Err(Error::config("sampling.guidance_interval", message));
        }
        if let Some(StepGrid::Karras { rho }) = self.sampling.grid
            && !(rho.is_finite() && rho > 0.0)
        {
            let message = format!("needs a number above 0, got {rho}");
            return Err(Error::config("sampling.grid.rho", message));
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

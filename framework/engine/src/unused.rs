//! Settings that an experiment gives and that have no effect with its other settings and its data.

use crate::config::{Experiment, Sampling};
use crate::error::Result;
use crate::path::{Clock, Grid};
use crate::trained::Trained;
use std::fmt;

/// A setting without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Key of the setting, such as `sampling.steps`.
    pub key: &'static str,
    /// The reason, as the end of a sentence.
    pub why: String,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no effect: {}", self.key, self.why)
    }
}

/// Collects settings that are given, by a value other than the default or by a flag.
struct UnusedSettings<'e> {
    experiment: &'e Experiment,
    all: Vec<Unused>,
}

impl UnusedSettings<'_> {
    /// Adds a setting if nothing reads its key (`unread`) and it is given: its value is not the
    /// default (`changed`), or a flag gives it.
    fn add(&mut self, key: &'static str, unread: bool, changed: bool, why: impl Into<String>) {
        if unread && (changed || self.experiment.flags.has(key)) {
            self.all.push(Unused { key, why: why.into() });
        }
    }
}

impl Trained {
    /// The settings that are given, by a value other than the default or by a flag, and have no
    /// effect on training or sampling.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): the solver cannot be built.
    pub fn unused(&self) -> Result<Vec<Unused>> {
        let mut found = UnusedSettings { experiment: &self.experiment, all: Vec::new() };
        self.unused_in_training(&mut found)?;
        self.unused_in_sampling(&mut found)?;
        Ok(found.all)
    }

    /// Logs a warning for each setting without effect whose key begins with `prefix`.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): the solver cannot be built.
    pub fn warn_unused(&self, prefix: &str) -> Result<()> {
        for unused in self.unused()?.iter().filter(|unused| unused.key.starts_with(prefix)) {
            log::warn!("{unused}");
        }
        Ok(())
    }

    fn unused_in_training(&self, found: &mut UnusedSettings<'_>) -> Result<()> {
        let e = &self.experiment;
        let default = Experiment::from_yaml("{}").ok();
        let default = default.as_ref();
        let (training, model) = (&e.training, self.model());
        let condition = self.units().shapes.condition.is_some();
        let why = "the path does not follow it";
        let changed = default.is_some_and(|d| d.noise_schedule != e.noise_schedule);
        found.add("noise_schedule", !model.path().scheduled(), changed, why);

        let steps = training.steps.is_some();
        let changed = default.is_some_and(|d| d.training.epochs != training.epochs);
        found.add("training.epochs", steps, changed, "`training.steps` replaces it");
        let dropped = training.condition_dropout != 0.0;
        let why = "the model has no condition";
        found.add("training.condition_dropout", !condition, dropped, why);
        let paired = !model.independent() && !model.z0_from_data();
        let changed = e.coupling.common().batch.is_some();
        found.add("coupling.batch", !paired, changed, "this coupling pairs no rows");
        self.unused_in_loss(found, default, !model.path().bounded());
        Ok(())
    }

    fn unused_in_loss(
        &self,
        found: &mut UnusedSettings<'_>,
        default: Option<&Experiment>,
        unbounded: bool,
    ) {
        let loss = &self.experiment.loss;
        let unweighted = loss.use_snr_weight == Some(false);
        let none = self.model().weights().is_one();
        let why = "`loss.use_snr_weight` is false";
        let changed = default.is_some_and(|d| d.loss.weighting != loss.weighting);
        found.add("loss.weighting", unweighted, changed, why);
        let why = "errors have no weight over time";
        found.add("loss.normalise", none, loss.normalise == Some(false), why);
        let why = "the path has no noise at t = 1, and no data at t = 0";
        found.add("loss.kl_weight", unbounded, loss.kl_weight != 1.0, why);
        found.add("loss.vae_noised", unbounded, loss.vae_noised == Some(true), why);
        let learned = ["encoder.", "decoder.", "noise_schedule."].into_iter().any(|part| {
            let frozen = self.experiment.training.freeze.iter().any(|f| f.prefix() == part);
            let named = self.parameters.named(&self.parameters.flat);
            !frozen && named.iter().any(|(name, _)| name.starts_with(part))
        });
        let changed = loss.vae_weight.is_some_and(|weight| weight != 0.0);
        let why = "neither encoder nor decoder is trained";
        found.add("loss.vae_weight", !learned, changed, why);
    }

    fn unused_in_sampling(&self, found: &mut UnusedSettings<'_>) -> Result<()> {
        let default = Experiment::from_yaml("{}").ok();
        let sampling = &self.experiment.sampling;
        let Sampling { solver, steps, guidance, guidance_interval, .. } = sampling;
        let adaptive = solver.build(&()).and_then(|solver| solver.adaptive());
        let adaptive = adaptive.map_err(|e| e.under("sampling.solver"))?;
        let own_steps = format!("the solver `{}` chooses its own steps", solver.name());
        let changed = default.as_ref().is_some_and(|d| d.sampling.steps != *steps);
        found.add("sampling.steps", adaptive, changed, &*own_steps);
        if let Some(grid) = sampling.step_grid()? {
            // Equal steps mean no more than their clock.
            let spaced = grid.nodes(0.25, 0.75, 4)? != Grid::uniform(0.25, 0.75, 4);
            let clock = match grid.clock()? {
                Clock::Time => "time",
                Clock::Gamma => "log-SNR",
            };
            let why = format!("{own_steps}, in {clock}");
            found.add("sampling.grid", adaptive && spaced, true, why);
        }
        let why = "`sampling.guidance` is 1";
        let changed = *guidance_interval != [0.0, 1.0];
        found.add("sampling.guidance_interval", *guidance == 1.0, changed, why);
        let none = self.experiment.training.ema.is_none();
        let why = "there are no EMA weights: `training.ema` is null";
        found.add("sampling.use_ema", none, false, why);
        Ok(())
    }
}

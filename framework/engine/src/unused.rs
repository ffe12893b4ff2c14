//! Settings that an experiment gives and that nothing reads, as the experiment and its data turn out.

use crate::config::{Experiment, LossConfig, Sampling, Weighting};
use crate::error::Result;
use crate::path::{PathKind, StepGrid};
use crate::trained::Trained;
use std::fmt;

/// A setting without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Its key, as `sampling.steps`.
    pub key: &'static str,
    /// The reason.
    pub why: String,
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no effect: {}", self.key, self.why)
    }
}

/// Collects settings that are given, by a value other than that without them or by a flag.
struct UnusedSettings<'e> {
    experiment: &'e Experiment,
    all: Vec<Unused>,
}

impl UnusedSettings<'_> {
    /// `idle`: nothing reads the key; `other`: its value is not that without it.
    fn add(&mut self, key: &'static str, idle: bool, other: bool, why: impl Into<String>) {
        if idle && (other || self.experiment.flags.give(key)) {
            self.all.push(Unused { key, why: why.into() });
        }
    }
}

impl Trained {
    /// The settings that are given and have no effect on training or sampling: their value is another than
    /// without them, or a flag gives it.
    pub fn unused(&self) -> Result<Vec<Unused>> {
        let mut found = UnusedSettings { experiment: &self.experiment, all: Vec::new() };
        self.unused_in_training(&mut found)?;
        self.unused_in_sampling(&mut found)?;
        Ok(found.all)
    }

    /// Says which they are, of those whose key begins with `prefix`.
    pub fn say_unused(&self, prefix: &str) -> Result<()> {
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
        let rectified = model.path().kind == PathKind::Rectified;
        let of_path = "the rectified path has no noise schedule";
        let other = default.is_some_and(|d| d.noise_schedule != e.noise_schedule);
        found.add("noise_schedule", rectified, other, of_path);

        let steps = training.steps.is_some();
        let other = default.is_some_and(|d| d.training.epochs != training.epochs);
        found.add("training.epochs", steps, other, "`training.steps` stands in its place");
        let dropped = training.condition_dropout != 0.0;
        let why = "the model has no condition";
        found.add("training.condition_dropout", !condition, dropped, why);
        let paired = !model.independent() && !model.given();
        let other = e.coupling.common().batch.is_some();
        found.add("coupling.batch", !paired, other, "this coupling pairs no rows");
        self.unused_in_loss(found, rectified);
        Ok(())
    }

    fn unused_in_loss(&self, found: &mut UnusedSettings<'_>, rectified: bool) {
        let loss: LossConfig = self.experiment.loss;
        let unweighted = loss.use_snr_weight == Some(false);
        let none = unweighted || loss.weighting == Weighting::None;
        let why = "`loss.use_snr_weight` is false";
        found.add("loss.weighting", unweighted, loss.weighting != Weighting::Elbo, why);
        let why = "errors have no weight over time";
        found.add("loss.normalise", none, loss.normalise == Some(false), why);
        let of_path = "the rectified path has no noise at its end, and no KL of its beginning";
        found.add("loss.kl_weight", rectified, loss.kl_weight != 1.0, of_path);
        found.add("loss.vae_noised", rectified, loss.vae_noised == Some(true), of_path);
        let learned = ["encoder.", "decoder.", "noise_schedule."].into_iter().any(|part| {
            let frozen = self.experiment.training.freeze.iter().any(|f| f.prefix() == part);
            let named = self.parameters.named(&self.parameters.flat);
            !frozen && named.iter().any(|(name, _)| name.starts_with(part))
        });
        let other = loss.vae_weight.is_some_and(|weight| weight != 0.0);
        let why = "neither encoder nor decoder learns";
        found.add("loss.vae_weight", !learned, other, why);
    }

    fn unused_in_sampling(&self, found: &mut UnusedSettings<'_>) -> Result<()> {
        let default = Experiment::from_yaml("{}").ok();
        let Sampling { solver, steps, grid, guidance, guidance_interval, .. } =
            &self.experiment.sampling;
        let adaptive = solver.build(&()).and_then(|solver| solver.adaptive());
        let adaptive = adaptive.map_err(|e| e.under("sampling.solver"))?;
        let chosen = format!("the solver `{}` chooses its steps", solver.name());
        let other = default.as_ref().is_some_and(|d| d.sampling.steps != *steps);
        found.add("sampling.steps", adaptive, other, &*chosen);
        let karras = matches!(grid, Some(StepGrid::Karras { .. }));
        let why = format!("{chosen}, in log-SNR as under `gamma`");
        found.add("sampling.grid", adaptive && karras, true, why);
        let why = "`sampling.guidance` is 1";
        let other = *guidance_interval != [0.0, 1.0];
        found.add("sampling.guidance_interval", *guidance == 1.0, other, why);
        let none = self.experiment.training.ema.is_none();
        let why = "there is no running mean: `training.ema` is null";
        found.add("sampling.use_ema", none, false, why);
        Ok(())
    }
}

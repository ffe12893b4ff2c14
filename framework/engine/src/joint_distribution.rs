//! The joint distribution of z_0 and z_1, and what it allows.
//!
//! Where z_0 is N(0, I) and independent of z_1, a state of the path is Gaussian given the data: velocity,
//! noise, data and score follow from each other, and only log-SNR tells paths apart. With any other law the
//! velocity of the rectified path alone is what was learned.

use crate::component::Objective;
use crate::config::{Experiment, Noise};
use crate::error::{Error, Result};
use crate::path::{Clock, PathKind, PathPoint};
use tch::{Device, Kind, Tensor};

/// What is known of the joint distribution.
pub(crate) struct JointDistribution {
    /// Whether z_0 is N(0, I).
    pub(crate) standard_normal: bool,
    /// Whether it is independent of z_1.
    pub(crate) independent: bool,
    /// Whether it is independent of the condition.
    pub(crate) keeps_condition: bool,
}

impl JointDistribution {
    /// Refuses an experiment that this distribution does not allow.
    pub(crate) fn check(
        &self,
        experiment: &Experiment,
        path: PathKind,
        objective: &dyn Objective,
        learned_encoder: bool,
    ) -> Result<()> {
        let (source, coupling) = (experiment.source.name(), experiment.coupling.name());
        if !self.independent {
            if learned_encoder {
                let message = format!(
                    "`{coupling}` pairs z_0 with z_1 before the step, and an encoder with parameters makes \
                     z_1 anew in it"
                );
                return Err(Error::config("coupling", message)
                    .help("take an independent coupling, or an encoder without parameters"));
            }
            let conditional = !experiment.unconditional;
            if conditional && !self.keeps_condition && !experiment.coupling.common().allow_biased {
                let message = format!(
                    "`{coupling}` does not look at the condition: training would see a law of z_0 for each \
                     condition, sampling starts from that of all, and the samples would be biased"
                );
                return Err(Error::config("coupling", message).help(
                    "take a coupling that keeps the condition (`triflow list coupling` names them all), or set \
                     `coupling.allow_biased: true` to see the bias",
                ));
            }
            batch_fits(experiment)?;
        }
        if self.standard_normal && self.independent {
            return Ok(());
        }
        let why = match self.standard_normal {
            true => format!("with the coupling `{coupling}` z_0 depends on the data"),
            false => format!("the source `{source}` is not N(0, I)"),
        };
        let refuse = |key: &str, what: &str, help: &str| {
            let message =
                format!("{what} needs Gaussian noise that is independent of the data, but {why}");
            Err(Error::config(key, message).help(help))
        };
        if path != PathKind::Rectified {
            let what = "the variance-preserving path";
            return refuse(
                "path",
                what,
                "set `path: rectified`, with an objective that predicts the velocity",
            );
        }
        if !predicts_velocity(objective)? {
            let what =
                format!("reading a velocity from what `{}` predicts", experiment.objective.name());
            return refuse(
                "objective",
                &what,
                "take an objective that predicts the velocity, data − noise",
            );
        }
        if experiment.sampling.grid.is_some_and(|grid| grid.clock() == Clock::Gamma) {
            return refuse("sampling.grid", "a step in log-SNR", "set `sampling.grid: time`");
        }
        if experiment.sampling.final_denoise == Some(true) {
            let what = "a last step that removes noise";
            return refuse("sampling.final_denoise", what, "set `sampling.final_denoise: false`");
        }
        if experiment.sampling.steering.is_some() {
            return refuse("sampling.steering", "a force, which adds to a score,", "leave it out");
        }
        let solver =
            experiment.sampling.solver.build(&()).map_err(|e| e.under("sampling.solver"))?;
        if solver.needs_levels()? {
            let what = format!("the solver `{}`", experiment.sampling.solver.name());
            let help = "take one that follows the velocity alone, as `--solver midpoint`";
            return refuse("sampling.solver", &what, help);
        }
        if self.standard_normal {
            return Ok(());
        }
        if experiment.sampling.noise == Noise::Sobol {
            let message = format!("`sobol` is a set of N(0, I), but {why}");
            return Err(
                Error::config("sampling.noise", message).help("set `sampling.noise: independent`")
            );
        }
        if experiment.task().predicts() {
            let message =
                format!("a prediction starts from z_0 = 0, the centre of N(0, I), but {why}");
            return Err(Error::config("source", message).help("take a source that is N(0, I)"));
        }
        Ok(())
    }
}

/// Whether the output is data − noise everywhere on the path: the velocity of the rectified one.
pub(crate) fn predicts_velocity(objective: &dyn Objective) -> Result<bool> {
    let point = PathPoint::rectified(&Tensor::linspace(0.0, 1.0, 5, (Kind::Double, Device::Cpu)));
    let (p, q) = objective.mix(&point)?;
    Ok(p.eq(1.0).all().int64_value(&[]) == 1 && q.eq(-1.0).all().int64_value(&[]) == 1)
}

/// An error unless a pairing serves whole training steps.
fn batch_fits(experiment: &Experiment) -> Result<()> {
    let step = experiment.training.batch_size;
    match experiment.coupling.common().batch {
        Some(rows) if rows < 1 || rows % step != 0 => {
            let message = format!("needs a multiple of training.batch_size, {step}, got {rows}");
            Err(Error::config("coupling.batch", message)
                .help(format!("such as {}", step * (rows / step).max(1))))
        }
        _ => Ok(()),
    }
}

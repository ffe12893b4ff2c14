//! The joint distribution of z_0 and z_1, and the experiments that it allows.
//!
//! If z_0 is N(0, I) and independent of z_1, a state of the path is Gaussian given the data:
//! velocity, noise, data and score follow from each other, and paths differ only in their log-SNR.
//! With any other distribution, only the velocity can be learned, of a path from z_0 itself to z_1
//! itself.

use crate::component::Objective;
use crate::config::{Experiment, Noise};
use crate::error::{Error, Result};
use crate::path::{Clock, Path};
use crate::registry::Component;

/// Properties of the joint distribution of z_0 and z_1.
pub(crate) struct JointDistribution {
    /// True if z_0 is N(0, I).
    pub(crate) standard_normal: bool,
    /// True if z_0 is independent of z_1.
    pub(crate) independent: bool,
    /// True if the coupling leaves the distribution of z_0 given the condition as it is.
    pub(crate) keeps_condition: bool,
}

impl JointDistribution {
    /// Checks that this distribution allows the experiment.
    pub(crate) fn check(
        &self,
        experiment: &Experiment,
        path: &Path,
        objective: &dyn Objective,
        learned_encoder: bool,
    ) -> Result<()> {
        let (source, coupling) = (experiment.source.name(), experiment.coupling.name());
        if !self.independent {
            if learned_encoder {
                let message = format!(
                    "`{coupling}` pairs z_0 with z_1 before the step, \
                     but an encoder with parameters computes a new z_1 in it"
                );
                return Err(Error::config("coupling", message)
                    .help("use an independent coupling, or an encoder without parameters"));
            }
            let conditional = !experiment.unconditional;
            if conditional && !self.keeps_condition && !experiment.coupling.common().allow_biased {
                let message = format!(
                    "`{coupling}` ignores the condition: training would see another distribution \
                     of z_0 for each condition, but sampling starts from the overall one, \
                     so samples would be biased"
                );
                return Err(Error::config("coupling", message).help(
                    "use a coupling that keeps the condition (`triflow list coupling` shows all), \
                     or set `coupling.allow_biased: true` to accept the bias",
                ));
            }
            check_coupling_batch(experiment)?;
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
        if !path.interpolates()? {
            let name = experiment.path.as_ref().map_or("of this kind", Component::name);
            let help = "use a path from z_0 itself to the data, such as straight lines, with an \
                        objective that predicts the velocity";
            return refuse("path", &format!("the path `{name}`"), help);
        }
        if !path.is_velocity(objective)? {
            let what =
                format!("reading a velocity from what `{}` predicts", experiment.objective.name());
            return refuse("objective", &what, "use an objective that predicts the velocity");
        }
        if let Some(grid) = experiment.sampling.step_grid()?
            && grid.clock()? == Clock::Gamma
        {
            let help = "set `sampling.grid: null`, or a grid in time";
            return refuse("sampling.grid", "a step in log-SNR", help);
        }
        if experiment.sampling.final_denoise == Some(true) {
            let what = "a last step that removes noise";
            return refuse("sampling.final_denoise", what, "set `sampling.final_denoise: false`");
        }
        if experiment.sampling.steering.is_some() {
            return refuse("sampling.steering", "a force, which is added to a score,", "remove it");
        }
        let solver =
            experiment.sampling.solver.build(&()).map_err(|e| e.under("sampling.solver"))?;
        if solver.needs_levels()? {
            let what = format!("the solver `{}`", experiment.sampling.solver.name());
            let help = "use one that needs only the velocity, such as `--solver midpoint`";
            return refuse("sampling.solver", &what, help);
        }
        if self.standard_normal {
            return Ok(());
        }
        if experiment.sampling.noise == Noise::Sobol {
            let message = format!("`sobol` draws from N(0, I), but {why}");
            return Err(
                Error::config("sampling.noise", message).help("set `sampling.noise: independent`")
            );
        }
        if experiment.task().predicts() {
            let message =
                format!("a prediction starts from z_0 = 0, the centre of N(0, I), but {why}");
            return Err(Error::config("source", message).help("use a source that is N(0, I)"));
        }
        Ok(())
    }
}

/// Checks that the batch of a coupling consists of whole training batches.
fn check_coupling_batch(experiment: &Experiment) -> Result<()> {
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

//! Experiments that a program builds from Rust values, over the defaults of experiment files.

use super::{Experiment, Layers, Task};
use crate::component::{
    Coupling, Crn, DataSource, Decoder, Encoder, GaussianPath, LossWeighting, LrSchedule,
    NoiseSchedule, Objective, Optimizer, Recovery, Solver, Source, StepGrid, Stopping, TimeSampler,
};
use crate::error::Result;
use crate::registry::Component;

/// Builder of an [`Experiment`]; [`Experiment::builder`] makes it.
#[derive(Debug)]
#[must_use]
pub struct ExperimentBuilder(Result<Experiment>);

/// Declares a function for each of some keys.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $T:ty => $($key:ident).+;)*) => {
        impl ExperimentBuilder {
            $($(#[$doc])*
            #[allow(clippy::useless_conversion, reason = "numbers are of the key's own type")]
            pub fn $name(self, $name: $T) -> Self {
                let $name = $name.into();
                self.with(|experiment| experiment.$($key).+ = $name)
            })*
        }
    };
}

setters! {
    /// Sets the task.
    task: impl Into<Option<Task>> => task;
    /// Sets whether generation has no condition.
    unconditional: bool => unconditional;
    /// Sets the source of the rows.
    data: impl Into<Component<dyn DataSource>> => data;
    /// Sets the network's prediction target.
    objective: impl Into<Component<dyn Objective>> => objective;
    /// Sets the noise schedule.
    noise_schedule: impl Into<Component<dyn NoiseSchedule>> => noise_schedule;
    /// Sets the map from the target to the latent.
    encoder: impl Into<Component<dyn Encoder>> => encoder;
    /// Sets the map from the latent to the target.
    decoder: impl Into<Component<dyn Decoder>> => decoder;
    /// Sets the conditional residual network (CRN).
    crn: impl Into<Component<dyn Crn>> => crn;
    /// Sets the distribution of z_0.
    source: impl Into<Component<dyn Source>> => source;
    /// Sets the pairing of z_0 and z_1 in training.
    coupling: impl Into<Component<dyn Coupling>> => coupling;
    /// Sets the distribution of the times in training.
    time_sampling: impl Into<Component<dyn TimeSampler>> => training.time_sampling;
    /// Sets the update rule of the parameters.
    optimizer: impl Into<Component<dyn Optimizer>> => training.optimizer;
    /// Sets the learning rate over training, as a factor on the optimizer's own.
    lr_schedule: impl Into<Component<dyn LrSchedule>> => training.lr_schedule;
    /// Sets the rule by which training ends before its planned steps.
    stopping: impl Into<Component<dyn Stopping>> => training.stopping;
    /// Sets what follows when the training diverges.
    on_divergence: impl Into<Component<dyn Recovery>> => training.on_divergence;
    /// Sets the number of passes over the training rows.
    epochs: u64 => training.epochs;
    /// Sets the number of rows in each step.
    batch_size: i64 => training.batch_size;
    /// Sets the decay of the exponential moving average (EMA) of the parameters.
    ema: impl Into<Option<f64>> => training.ema;
    /// Sets the seed of all random numbers.
    seed: u64 => training.seed;
    /// Sets the solver that integrates from noise to data.
    solver: impl Into<Component<dyn Solver>> => sampling.solver;
    /// Sets the number of steps of a solver with fixed steps.
    sampling_steps: usize => sampling.steps;
}

impl ExperimentBuilder {
    /// Sets the path from noise to data.
    pub fn path(self, path: impl Into<Component<dyn GaussianPath>>) -> Self {
        let path = path.into();
        self.with(|experiment| experiment.path = Some(path))
    }

    /// Sets the weight of the error over time, and applies it.
    pub fn weighting(self, weighting: impl Into<Component<dyn LossWeighting>>) -> Self {
        let weighting = weighting.into();
        self.with(|experiment| {
            experiment.loss.weighting = weighting;
            experiment.loss.use_snr_weight = Some(true);
        })
    }

    /// Sets the nodes of the solver's steps.
    pub fn grid(self, grid: impl Into<Component<dyn StepGrid>>) -> Self {
        let grid = grid.into();
        self.with(|experiment| experiment.sampling.grid = Some(grid))
    }

    /// Changes any keys: `with(|e| e.loss.reg_weight = 0.1)`.
    pub fn with(self, change: impl FnOnce(&mut Experiment)) -> Self {
        Self(self.0.map(|mut experiment| {
            change(&mut experiment);
            experiment
        }))
    }

    /// The experiment.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): a value is out of its range, keys do not fit each
    /// other, or no crate with default values is linked.
    pub fn build(self) -> Result<Experiment> {
        let mut experiment = self.0?;
        experiment.name_plugins()?;
        experiment.check()?;
        Ok(experiment)
    }
}

impl Experiment {
    /// Builder of an experiment from the defaults of experiment files.
    ///
    /// ```no_run
    /// # extern crate triflow_engine as triflow;
    /// # fn main() -> triflow::Result<()> {
    /// let experiment = triflow::Experiment::builder()
    ///     .epochs(20)
    ///     .with(|e| e.loss.reg_weight = 0.1)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn builder() -> ExperimentBuilder {
        ExperimentBuilder(Layers::new().and_then(|layers| layers.finish()))
    }
}

//! Kinds of components: a trait for each, in a file of its own, with the types it uses. The trait
//! documents what a component must do, and the engine checks it.

mod bisection;
mod context;
mod control;
mod coupling;
mod crn;
mod data_source;
mod decoder;
mod encoder;
mod epoch;
mod guidance;
mod loss_weighting;
mod lr_schedule;
mod metric;
mod metric_input;
mod names;
mod network;
mod noise_schedule;
mod objective;
mod optimizer;
mod path;
mod projection;
mod reading;
mod recovery;
mod solver;
mod source;
mod split;
mod step_grid;
mod stepper;
mod stopping;
mod tableau;
mod time_sampler;
mod tracker;

pub use crate::point::Grid;
pub use crate::rng::Draws;
pub use context::{BuildContext, Pass, shape_text};
pub use control::{ErrorNorm, StepControl, StepFactor};
pub use coupling::{Coupling, CouplingContext, CouplingOptions, Pairing};
pub use crn::{Condition, Crn, CrnInput, Sense};
pub use data_source::{
    Columns, DataContext, DataOptions, DataSource, InspectedColumn, Inspection, Keep, Part, Splits,
};
pub use decoder::{Decoder, Likelihood};
pub use encoder::{Encoder, Posterior};
pub use epoch::{Epoch, LossTerm};
pub use guidance::{Guidance, GuidanceInput};
pub use loss_weighting::{LossWeighting, Weight};
pub use lr_schedule::LrSchedule;
pub use metric::{
    Goal, Metric, MetricColumns, MetricContext, MetricInfo, MetricOptions, Need, check_metric_name,
};
pub use metric_input::{
    Classes, Labelled, MetricInput, OwnUnits, Predictions, RandomDraws, Samples, Tables,
};
pub use names::ClassNames;
pub use network::{Network, NetworkContext, NetworkInput};
pub use noise_schedule::NoiseSchedule;
pub use objective::Objective;
pub use optimizer::{Optimizer, OptimizerState};
pub use path::{Coefficients, GaussianPath, PathContext, PathPoint};
pub use projection::Projection;
pub use reading::{Reading, rows};
pub use recovery::{Recovery, Restore};
pub use solver::{Field, Level, Node, Observer, Solution, Solver};
pub use solver::{NO_LEVELS, follows_derivative, solvers_where};
pub use source::{Source, SourceContext};
pub use split::{Division, Portion, Split, SplitColumn, Strata};
pub use step_grid::StepGrid;
pub use stepper::{Step, Stepped, Stepper};
pub use stopping::Stopping;
pub use tableau::Tableau;
pub use time_sampler::{Quantiles, TimeSampler};
pub use tracker::{Ending, Record, TrackedRun, Tracker};

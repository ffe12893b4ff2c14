//! Experiments: the typed form of an experiment file, the layers of YAML that make one, and errors
//! that name file and key.

mod builder;
mod comparison;
mod every;
mod experiment;
mod file_path;
mod further;
mod keep_best;
mod layers;
mod merge;
mod plugins;
mod start_from;
mod task;
mod yaml;

pub use crate::component::LossTerm;
pub use builder::ExperimentBuilder;
pub use comparison::{Budget, Comparison, CurveOfAll};
pub use every::Every;
pub use experiment::{
    Capture, Checkpointing, Experiment, LossConfig, MetricUnits, Metrics, Noise, Precision,
    Reconstruction, Reduction, RowWeights, Sampling, Training,
};
pub use file_path::FilePath;
pub use further::FurtherFiles;
pub use keep_best::KeepBest;
pub use layers::Layers;
pub use layers::Origin;
pub use start_from::{ModelPart, StartFrom};
pub use task::{SequenceMode, Task};
pub(crate) use yaml::parse_saved;
pub use yaml::parse_value;

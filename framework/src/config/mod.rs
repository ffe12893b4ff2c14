//! Experiments: the typed form of an experiment file, how layers of YAML become one, and errors that
//! name file and key.

mod experiment;
mod file_path;
mod layers;
mod messages;

pub use experiment::{
    Checkpointing, Coupling, Every, Experiment, LossConfig, LrSchedule, Precision, Recon,
    Reduction, Sampling, Source, Task, TimeSampling, Training, Weighting,
};
pub use file_path::FilePath;
pub use layers::{Layers, parse_value};

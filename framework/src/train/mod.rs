//! Training: flat parameters, the step, checkpoints, history.

mod checkpoint;
mod history;
mod parameters;
mod trainer;

pub use checkpoint::{State, read_tensors, write_tensors, write_whole};
pub use history::{Epoch, History};
pub use parameters::Parameters;
pub(crate) use trainer::DIVERGED;
pub use trainer::{Control, Event, Prediction, Trainer};

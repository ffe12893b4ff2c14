//! Training: flat parameters, the step, checkpoints, history.

mod batches;
mod checkpoint;
mod coupled;
mod graph;
mod history;
mod latents;
mod prefetch;
mod rates;
mod settle;
mod start;
mod step;
mod trainer;
mod worker;

pub use crate::model::Parameters;
pub use checkpoint::State;
pub use coupled::PairingCost;
pub use history::{Epoch, History};
pub use trainer::{Control, Event, Trainer};

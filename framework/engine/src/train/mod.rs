//! Training: batches, steps, checkpoints and history.

mod batches;
mod checkpoint;
mod coupled;
mod course;
mod divergence;
mod epoch;
mod event;
mod graph;
mod history;
mod latents;
mod meeting;
mod pieces;
mod prefetch;
mod rates;
mod share;
mod start;
mod step;
mod trainer;
mod worker;

pub use crate::component::Epoch;
pub use crate::model::Parameters;
pub use checkpoint::State;
pub use coupled::PairingCost;
pub use divergence::{Cause, Divergence};
pub use event::{Control, Event};
pub use history::History;
pub use trainer::{Outcome, Trainer};

//! Answers to a training that diverges.

mod restore_and_halve_lr;
mod stop;

pub use restore_and_halve_lr::RestoreAndHalveLr;
pub use stop::Stop;

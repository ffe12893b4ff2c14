//! What follows when the training diverges.

mod restore_and_halve_lr;
mod stop;

pub use restore_and_halve_lr::RestoreAndHalveLr;
pub use stop::Stop;

//! Step grids: spacings of a solver's steps between noise and data.

mod gamma;
mod karras;
mod shifted;
mod time;

pub use gamma::Gamma;
pub use karras::Karras;
pub use shifted::Shifted;
pub use time::Time;

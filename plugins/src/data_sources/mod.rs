//! Data sources: where x and y come from.

mod two_moons;

pub use two_moons::TwoMoons;

//! Guidance: forces that steer samples along their path.

mod toward;

pub use toward::Toward;

//! Guidance: further forces on samples along their way.

mod toward;

pub use toward::Toward;

//! Data sources: where x and y come from.

mod csv;
mod files;
mod npz;
mod safetensors;
mod two_moons;

pub use csv::{Column, Csv, Header};
pub use npz::Npz;
pub use safetensors::Safetensors;
pub use two_moons::{NoiseLaw, TwoMoons};

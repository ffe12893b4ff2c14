//! Random numbers that the engine hands to a component.

use crate::error::Result;
use tch::{Device, Kind as DType, Tensor};

/// Random numbers for rows. In training they come from LibTorch's generator, which the engine has seeded; in
/// sampling each row has a stream of its own, so that a sample is told by the seed and the row's number,
/// however many rows are drawn beside it. Every call goes on in the streams.
pub trait Draws {
    /// Independent draws from N(0, 1), `[n, …]` for n rows.
    fn normal(&self, shape: &[i64], options: (DType, Device)) -> Result<Tensor>;
    /// Independent draws from [0, 1), likewise.
    fn uniform(&self, shape: &[i64], options: (DType, Device)) -> Result<Tensor>;
    /// Independent integers (int64) from 0 to `below` − 1, likewise.
    fn integers(&self, below: i64, shape: &[i64], device: Device) -> Result<Tensor>;
}

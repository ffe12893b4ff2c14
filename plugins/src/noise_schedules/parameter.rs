//! Scalar parameters of noise schedules: constant, or learnable within their range.

use triflow::prelude::*;
use triflow::tch::{Device, Kind};

/// Least distance of learnable ends of alpha_bar from 0 and 1.
pub const ALPHA_BAR_MARGIN: f64 = 1e-4;

/// Map from an unconstrained variable to a parameter in its range.
#[derive(Clone, Copy, Debug)]
pub enum Transform {
    /// Any real number.
    Free,
    /// floor + softplus(raw), above the floor.
    Above(f64),
    /// low + (high − low)·sigmoid(raw), between the two.
    Between(f64, f64),
}

impl Transform {
    fn inverse(self, value: f64) -> f64 {
        match self {
            Transform::Free => value,
            Transform::Above(floor) => softplus_inverse(value - floor),
            Transform::Between(low, high) => {
                let p = (value - low) / (high - low);
                (p / (1.0 - p)).ln()
            }
        }
    }

    fn apply(self, raw: &Tensor) -> Tensor {
        match self {
            Transform::Free => raw.shallow_clone(),
            Transform::Above(floor) => raw.softplus() + floor,
            Transform::Between(low, high) => raw.sigmoid() * (high - low) + low,
        }
    }
}

/// Inverse of the softplus, ln(e^y − 1) for y above 0, without overflow and accurate for small y.
pub fn softplus_inverse(y: f64) -> f64 {
    y + (-(-y).exp_m1()).ln()
}

/// A scalar parameter: a constant, or a variable behind a transform.
#[derive(Debug)]
pub struct Parameter {
    raw: Tensor,
    transform: Option<Transform>,
}

impl Parameter {
    /// The constant `value` or, if `learnable`, a variable `name` that starts there.
    ///
    /// # Errors
    /// A learnable parameter starts at the edge of its range or outside it.
    pub fn new(
        ctx: &BuildContext,
        name: &str,
        value: f64,
        transform: Transform,
        learnable: bool,
    ) -> Result<Self> {
        if !learnable {
            // A tensor without axes on the CPU combines with any precision and device, as a number
            // does.
            return Ok(Self {
                raw: Tensor::from(value).to_kind(Kind::Double).to_device(Device::Cpu),
                transform: None,
            });
        }
        let raw = transform.inverse(value);
        if !raw.is_finite() {
            return Err(Error::config(
                name,
                format!("a learnable `{name}` cannot start at {value}, the edge of its range"),
            ));
        }
        Ok(Self { raw: ctx.vars.var(name, &[], nn::Init::Const(raw)), transform: Some(transform) })
    }

    /// The value, `[]`.
    pub fn value(&self) -> Tensor {
        match self.transform {
            None => self.raw.shallow_clone(),
            Some(t) => t.apply(&self.raw),
        }
    }
}

/// Checks that a condition on the parameter `key` holds.
///
/// # Errors
/// `holds` is false; the error has the text `message`.
pub fn require(holds: bool, key: &str, message: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(key, message)) }
}

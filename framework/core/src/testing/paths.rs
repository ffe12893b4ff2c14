//! Paths on which the kit tries objectives and networks, and an objective for networks.

use crate::component::{Coefficients, GaussianPath, Objective, PathPoint};
use crate::error::Result;
use crate::path::Path;
use tch::{Device, Tensor};

/// Straight lines: a = t, b = 1 − t.
struct Straight;

impl GaussianPath for Straight {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        Ok(Coefficients::new(t.shallow_clone(), t.rsub_scalar(1.0)))
    }
}

/// Unit variance, with a log-SNR that is linear in time, from −5 to 5.
struct UnitVariance;

impl GaussianPath for UnitVariance {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        Ok(Coefficients::unit_variance(t * 10.0 - 5.0))
    }
}

/// Path of straight lines, a = t and b = 1 − t, whose log-SNR is infinite at both ends; for tests.
///
/// # Errors
/// None: the result is that of any path.
pub fn straight() -> Result<Path> {
    Path::of(Box::new(Straight), Device::Cpu)
}

/// Path of unit variance a² + b² = 1, whose log-SNR goes from −5 to 5 in a straight line; for
/// tests.
///
/// # Errors
/// None: the result is that of any path.
pub fn unit_variance() -> Result<Path> {
    Path::of(Box::new(UnitVariance), Device::Cpu)
}

/// Prediction of data − noise.
pub(super) struct Difference;

impl Objective for Difference {
    fn mix(&self, _: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        Ok((Tensor::from(1.0), Tensor::from(-1.0)))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("")
    }
}

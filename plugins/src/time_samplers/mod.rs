//! Time samplers: the distribution of the times t in training.

mod importance;
mod log_normal_sigma;
mod logit_normal;
mod stratified;
mod uniform;

pub use importance::Importance;
pub use log_normal_sigma::LogNormalSigma;
pub use logit_normal::LogitNormal;
pub use stratified::Stratified;
pub use uniform::Uniform;

use triflow::prelude::*;

/// Checks the parameters of a normal distribution.
fn check_normal(mean: f64, std: f64) -> Result<()> {
    if !mean.is_finite() {
        return Err(Error::config("mean", format!("needs a finite number, got {mean}")));
    }
    if std > 0.0 && std.is_finite() {
        return Ok(());
    }
    Err(Error::config("std", format!("needs a number above 0, got {std}")))
}

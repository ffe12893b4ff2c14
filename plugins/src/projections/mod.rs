//! Projections of the predicted data while sampling.

mod clamp;
mod dynamic_threshold;
mod none;
mod recode;

pub use clamp::Clamp;
pub use dynamic_threshold::DynamicThreshold;
pub use none::NoProjection;
pub use recode::Recode;

use triflow::{Error, Result};

/// Checks that `low` is below `high`.
fn interval(low: f64, high: f64) -> Result<()> {
    if low < high {
        return Ok(());
    }
    Err(Error::config("high", format!("needs a number above `low`, {low}, got {high}")))
}

//! Optimizers: one step over all parameters at once.

mod adagrad;
mod adam;
mod adam_rule;
mod adamw;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamw::Adamw;
pub use sgd::Sgd;

use triflow::prelude::*;

/// Checks one number's range, as `needs 0 <= beta1 < 1`.
fn require(holds: bool, key: &str, range: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(key, format!("needs {range}"))) }
}

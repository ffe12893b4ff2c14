//! Optimizers: update rules over all parameters as one flat tensor.

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

/// Checks that a condition on the parameter `key` holds; `range` describes it, such as
/// `0 <= beta1 < 1`.
///
/// # Errors
/// `holds` is false.
fn require(holds: bool, key: &str, range: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::config(key, format!("needs {range}"))) }
}

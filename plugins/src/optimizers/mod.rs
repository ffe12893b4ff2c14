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

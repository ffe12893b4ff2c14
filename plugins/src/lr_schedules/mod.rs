//! Learning-rate schedules: factors on the optimizer's learning rate over training. All rise
//! linearly during their warm-up.

mod constant;
mod cosine;
mod inverse_sqrt;
mod linear;
mod warmup;

pub use constant::Constant;
pub use cosine::Cosine;
pub use inverse_sqrt::InverseSqrt;
pub use linear::Linear;

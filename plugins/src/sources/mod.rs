//! Sources: distributions of z_0, where paths start.

mod data;
mod eight_gaussians;
mod standard_normal;
mod uniform;

pub use data::Data;
pub use eight_gaussians::EightGaussians;
pub use standard_normal::StandardNormal;
pub use uniform::Uniform;

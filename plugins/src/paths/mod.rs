//! Paths from noise to data: the coefficients of z = a·data + b·noise over time.

mod polynomial;
mod rectified;
mod scheduled;
mod sub_variance_preserving;
mod variance_exploding;
mod variance_preserving;

pub use polynomial::Polynomial;
pub use rectified::Rectified;
pub use sub_variance_preserving::SubVariancePreserving;
pub use variance_exploding::VarianceExploding;
pub use variance_preserving::VariancePreserving;

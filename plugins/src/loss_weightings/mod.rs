//! Loss weightings: the weight of errors over time.
//!
//! On a path of unbounded log-SNR they are given as the weight of the velocity's error, which is
//! finite, or has a limit, at both ends; on others as that of the data or the noise.

mod edm;
mod elbo;
mod field;
mod min_snr;
mod none;
mod sigmoid;
mod snr_slope;

pub use edm::Edm;
pub use elbo::Elbo;
pub use field::Field;
pub use min_snr::MinSnr;
pub use none::None;
pub use sigmoid::Sigmoid;
pub use snr_slope::SnrSlope;

use triflow::prelude::*;

/// a'·b − a·b' = a·b·γ'/2, `[batch]`. It is kept above 0: on some paths it is 0 at an end, where
/// weights divided by it are 0 as well.
fn wronskian(point: &PathPoint<'_>) -> Result<Tensor> {
    let (a_rate, b_rate) = point.rates(Clock::Time)?;
    Ok((a_rate * &point.b - b_rate * &point.a).clamp_min(1e-15))
}

//! Paths from noise to data: the coefficients of z = a·data + b·noise over time.

mod polynomial;
mod rectified;
mod sub_variance_preserving;
mod variance_exploding;
mod variance_preserving;

pub use polynomial::Polynomial;
pub use rectified::Rectified;
pub use sub_variance_preserving::SubVariancePreserving;
pub use variance_exploding::VarianceExploding;
pub use variance_preserving::VariancePreserving;

use triflow::component::{NoiseSchedule, PathPoint};
use triflow::error::Result;
use triflow::path::Clock;
use triflow::tch::{Device, Tensor};

/// Rates in `clock`, of rates (da/dγ, db/dγ) in log-SNR.
fn in_clock(
    point: &PathPoint<'_>,
    clock: Clock,
    (a, b): (Tensor, Tensor),
) -> Result<(Tensor, Tensor)> {
    match clock {
        Clock::Gamma => Ok((a, b)),
        Clock::Time => {
            let rate = point.gamma_prime()?;
            Ok((a * &rate, b * rate))
        }
    }
}

/// Log-SNR of a schedule at both ends.
fn ends(schedule: &dyn NoiseSchedule, device: Device) -> Result<(f64, f64)> {
    let gamma = schedule.gamma(&Tensor::from_slice(&[0.0, 1.0]).to_device(device))?;
    Ok((gamma.double_value(&[0]), gamma.double_value(&[1])))
}

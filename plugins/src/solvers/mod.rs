//! Solvers: integration of the sampling ODE or SDE from noise to data.

use triflow::prelude::*;

mod bosh3;
mod ddim;
mod dopri5;
mod dpmpp;
mod euler;
mod euler_maruyama;
mod exponential;
mod heun;
mod heun_edm;
mod midpoint;
mod rk4;

pub use bosh3::Bosh3;
pub use ddim::{Ancestral, Ddim};
pub use dopri5::Dopri5;
pub use dpmpp::Dpmpp;
pub use euler::Euler;
pub use euler_maruyama::EulerMaruyama;
pub use exponential::Exponential;
pub use heun::Heun;
pub use heun_edm::HeunEdm;
pub use midpoint::Midpoint;
pub use rk4::Rk4;

/// Checks that `eta` can be a churn.
///
/// # Errors
/// `eta` is negative or not finite.
fn check_churn(eta: f64) -> Result<()> {
    if eta.is_finite() && eta >= 0.0 {
        return Ok(());
    }
    Err(Error::config("eta", format!("needs a number of at least 0, got {eta}")))
}

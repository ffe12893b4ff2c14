//! Solvers: integration of the sampling ODE or SDE from noise to data.

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

use triflow::prelude::*;

/// The solver of likelihoods, which need more digits than samples do.
pub fn of_likelihoods() -> Component<dyn Solver> {
    Dopri5 { rtol: 1e-5, atol: 1e-5, ..Dopri5::default() }.into()
}

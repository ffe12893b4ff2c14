//! Solvers: from noise to data along a field.

mod dopri5;
mod euler;
mod heun;
mod midpoint;
mod rk4;

pub use dopri5::Dopri5;
pub use euler::Euler;
pub use heun::Heun;
pub use midpoint::Midpoint;
pub use rk4::Rk4;

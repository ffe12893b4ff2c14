//! Noise schedules: log-SNR γ over time. Two families: those that shape alpha_bar by a curve from 0 to 1
//! (see [`curve`]) and those that give γ directly ([`logsnr_law`] and the rest).

pub mod curve;
pub mod logsnr_law;
pub mod parameter;

mod cauchy;
mod cauchy_logsnr;
mod cosine;
mod exponential;
mod laplace;
mod laplace_logsnr;
mod linear;
mod logistic;
mod monotonic_nn;
mod polynomial;
mod quadratic;
mod sigmoid;

pub use cauchy::Cauchy;
pub use cauchy_logsnr::CauchyLogsnr;
pub use cosine::Cosine;
pub use exponential::Exponential;
pub use laplace::Laplace;
pub use laplace_logsnr::LaplaceLogsnr;
pub use linear::Linear;
pub use logistic::Logistic;
pub use monotonic_nn::MonotonicNn;
pub use polynomial::Polynomial;
pub use quadratic::Quadratic;
pub use sigmoid::Sigmoid;

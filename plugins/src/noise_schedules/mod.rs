//! Noise schedules: log-SNR γ as a function of time. There are two families: schedules of alpha_bar
//! as a curve between two ends (see [`curve`]), and schedules of γ itself ([`logsnr_distribution`]
//! and others).

pub mod curve;
pub mod logsnr_distribution;
pub mod parameter;

mod cauchy;
mod cauchy_logsnr;
mod cosine;
mod exponential;
mod karras;
mod laplace;
mod laplace_logsnr;
mod linear;
mod linear_beta;
mod logistic;
mod monotonic_nn;
mod polynomial;
mod quadratic;
mod shifted;
mod sigmoid;

pub use cauchy::Cauchy;
pub use cauchy_logsnr::CauchyLogsnr;
pub use cosine::Cosine;
pub use exponential::Exponential;
pub use karras::Karras;
pub use laplace::Laplace;
pub use laplace_logsnr::LaplaceLogsnr;
pub use linear::Linear;
pub use linear_beta::LinearBeta;
pub use logistic::Logistic;
pub use monotonic_nn::MonotonicNn;
pub use polynomial::Polynomial;
pub use quadratic::Quadratic;
pub use shifted::Shifted;
pub use sigmoid::Sigmoid;

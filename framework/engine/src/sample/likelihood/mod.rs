//! Likelihood of data under a model: the density of the probability-flow ODE
//! ([`log_density`](super::PredictorField::log_density)) and the variational [`bound`] of the
//! diffusion. Both are for latents of any [`Predictor`](super::Predictor).

mod bound;
mod density;

pub use bound::{Bound, bound};
pub use density::{Density, Divergence, EXACT_DIMENSIONS};

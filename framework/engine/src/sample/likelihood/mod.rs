//! How likely data are under a model: the density along the probability-flow ODE
//! ([`log_density`](super::PredictorField::log_density)) and the variational [`bound`] of the diffusion. Both
//! work on latents of any [`Predictor`](super::Predictor).

mod bound;
mod density;

pub use bound::{Bound, bound};
pub use density::{Density, Divergence, EXACT_DIMENSIONS};

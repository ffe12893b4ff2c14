//! Time samplers: the distribution of the times t in training.

mod importance;
mod log_normal_sigma;
mod logit_normal;
mod stratified;
mod uniform;

pub use importance::Importance;
pub use log_normal_sigma::LogNormalSigma;
pub use logit_normal::LogitNormal;
pub use stratified::Stratified;
pub use uniform::Uniform;

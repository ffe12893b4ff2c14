//! Objectives: what the network predicts.

mod ct;
mod diffusion;
mod flow_matching;

pub use ct::Ct;
pub use diffusion::Diffusion;
pub use flow_matching::FlowMatching;

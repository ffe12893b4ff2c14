//! Objectives: the prediction target of the network.

mod ct;
mod diffusion;
mod flow_matching;

pub use ct::Ct;
pub use diffusion::Diffusion;
pub use flow_matching::FlowMatching;

//! Objectives: the prediction target of the network.

mod ct;
mod diffusion;
mod edm;
mod flow_matching;
mod score;
mod v;

pub use ct::Ct;
pub use diffusion::Diffusion;
pub use edm::Edm;
pub use flow_matching::FlowMatching;
pub use score::Score;
pub use v::V;

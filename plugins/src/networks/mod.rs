//! Networks: the backbones inside a CRN.

mod mlp;
mod residual_mlp;

pub use mlp::Mlp;
pub use residual_mlp::ResidualMlp;

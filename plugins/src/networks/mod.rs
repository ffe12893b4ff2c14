//! Networks: the backbones inside a CRN.

mod bilinear;
mod convex;
mod mlp;
mod residual_mlp;
mod trunk;

pub use bilinear::Bilinear;
pub use convex::Convex;
pub use mlp::Mlp;
pub use residual_mlp::ResidualMlp;

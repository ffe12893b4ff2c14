//! Networks: the backbones inside a CRN.

mod bilinear;
mod convex;
mod dit;
mod mlp;
mod residual_mlp;
mod trunk;
mod unet;

pub use bilinear::Bilinear;
pub use convex::Convex;
pub use dit::Dit;
pub use mlp::Mlp;
pub use residual_mlp::ResidualMlp;
pub use unet::Unet;

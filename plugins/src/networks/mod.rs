//! Networks: the backbones inside a conditional residual network (CRN).

mod bilinear;
mod convex;
mod dit;
mod mlp;
mod residual_mlp;
mod temporal_conv;
mod tokens;
mod transformer;
mod trunk;
mod unet;

pub use bilinear::Bilinear;
pub use convex::Convex;
pub use dit::Dit;
pub use mlp::Mlp;
pub use residual_mlp::ResidualMlp;
pub use temporal_conv::TemporalConv;
pub use tokens::Placement;
pub use transformer::Transformer;
pub use unet::Unet;

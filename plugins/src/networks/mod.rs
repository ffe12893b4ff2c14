//! Networks: the backbones inside a CRN.

mod mlp;

pub use mlp::Mlp;

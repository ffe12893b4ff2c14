//! CRNs: what the network's output is read as, over any backbone.

mod time_embedding;
mod vanilla;

pub use time_embedding::TimeEmbedding;
pub use vanilla::Vanilla;

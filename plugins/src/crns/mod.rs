//! CRNs: what the network's output is read as, over any backbone.

mod backbone;
mod geometric;
mod hamiltonian;
mod natural;
mod potential;
mod scalar;
mod solve;
mod time_embedding;
mod vanilla;

pub use geometric::Geometric;
pub use hamiltonian::Hamiltonian;
pub use natural::Natural;
pub use potential::Potential;
pub use time_embedding::{TimeEmbedding, same_in_all_rows};
pub use vanilla::Vanilla;

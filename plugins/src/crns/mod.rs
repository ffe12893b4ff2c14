//! Conditional residual networks (CRNs): f(z, x, t) as a network, or as a derivative of one.

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

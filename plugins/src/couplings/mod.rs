//! Couplings: the pairing of noise z_0 and data z_1 in training.

mod given;
mod independent;
mod ot_conditional;
mod ot_exact;
mod ot_sinkhorn;

pub use given::Given;
pub use independent::Independent;
pub use ot_conditional::OtConditional;
pub use ot_exact::OtExact;
pub use ot_sinkhorn::OtSinkhorn;

use triflow::prelude::Points;

/// |a − b|² of every row of `a` with every row of `b`, row-major.
fn squared_distances(a: Points<'_>, b: Points<'_>) -> Vec<f64> {
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    a.rows().flat_map(|a| b.rows().map(move |b| distance(a, b))).collect()
}

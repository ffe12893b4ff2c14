//! What comes of trained models: measurements, pictures, reports, the folder of a run, comparisons of runs, curves of
//! quality against cost, and straighter models of their paths. Programs depend on `triflow`, which re-exports all of it.
//!
//! Layers: `plot`, `measure`, `curve` `reflow` `report`, `run`, `compare`.

// Tests declare components, whose macros speak of `triflow::…`.
extern crate self as triflow;

pub mod compare;
pub mod curve;
pub mod measure;
pub mod plot;
pub mod reflow;
pub mod report;
pub mod run;

#[doc(inline)]
pub use triflow_engine::*;

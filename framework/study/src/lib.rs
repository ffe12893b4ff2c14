//! Measurements, pictures and reports of trained models, run folders, samples and predictions of
//! runs, comparisons of runs, curves of quality against cost, and pairs for reflow. Programs depend
//! on `triflow`, which re-exports all of it.
//!
//! Layers: `lock` `plot`, `measure`, `curve` `reflow` `report`, `run`, `compare` `request`.

#![forbid(unsafe_code)]

// The macros that tests declare components with expand to paths in `triflow::…`.
extern crate self as triflow;

pub mod compare;
pub mod curve;
pub mod lock;
pub mod measure;
pub mod plot;
pub mod reflow;
pub mod report;
pub mod request;
pub mod run;

#[doc(inline)]
pub use triflow_engine::*;

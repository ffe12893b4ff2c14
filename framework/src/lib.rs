//! triflow trains, samples and compares three ways to learn one continuous-time generative problem:
//! flow matching (the network predicts the velocity), diffusion (the noise) and continuous-time (the
//! clean target).
//!
//! This crate holds the traits, the registry and the engine, and knows no component by name. The
//! built-in components live in `triflow-plugins`, the command in `triflow-cli`.

// The macros speak of `triflow::…`, inside this crate too.
extern crate self as triflow;

mod answers;
pub mod compare;
pub mod component;
pub mod config;
pub mod curve;
pub mod data;
pub mod derivative;
pub mod device;
pub mod error;
pub mod io;
mod joint;
pub mod kernels;
pub mod loss;
pub mod measure;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod path;
pub mod plot;
pub mod plugin;
pub mod reflow;
pub mod registry;
pub mod report;
pub mod rng;
pub mod run;
pub mod sample;
pub mod sequence;
pub mod testing;
pub mod threads;
pub mod train;
pub mod trained;
mod unused;

#[doc(hidden)]
pub use {inventory, schemars, serde, typetag};
pub use {log, tch};

pub use answers::{Lengths, Prediction};
pub use config::Experiment;
pub use error::{Error, Result};
pub use registry::{Component, Spec, registry};
pub use train::Trainer;
pub use trained::Trained;
pub use unused::Unused;

/// What a component author needs.
pub mod prelude {
    pub use crate::component::*;
    pub use crate::derivative::{Variable, differentiate, gradient};
    pub use crate::error::{Error, Result};
    pub use crate::metrics::Points;
    pub use crate::path::{Clock, PathKind, PathPoint, StepGrid, rows};
    pub use crate::registry::{Component, Spec};
    pub use tch::{Tensor, nn};
}

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
pub mod config;
pub mod curve;
pub mod data;
pub mod device;
pub mod io;
mod joint;
pub mod loss;
pub mod measure;
pub mod model;
pub mod plot;
pub mod reflow;
pub mod report;
pub mod run;
pub mod sample;
pub mod threads;
pub mod train;
pub mod trained;
mod unused;

#[doc(inline)]
pub use triflow_core::*;

pub use answers::{Lengths, Prediction};
pub use config::Experiment;
pub use train::Trainer;
pub use trained::Trained;
pub use unused::Unused;

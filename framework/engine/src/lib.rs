//! triflow trains, samples and compares three ways to learn one continuous-time generative problem:
//! flow matching (the network predicts the velocity), diffusion (the noise) and continuous-time
//! (the clean target).
//!
//! This crate reads data files and configuration, and trains and samples models that are composed
//! of components, none of which it knows by name. Programs depend on `triflow`, which re-exports
//! all of it.
//!
//! Layers: `device` `threads` `io`, `config` `group`, `data` `loss`, `resolve`, `model`, `sample`,
//! `trained`, `inference` `start`, `export` `train`.

// The macros expand to paths that begin with `triflow::`, inside this crate too.
extern crate self as triflow;

pub mod config;
pub mod data;
pub mod device;
pub mod export;
pub mod group;
pub mod inference;
pub mod io;
pub mod loss;
pub mod model;
pub mod resolve;
pub mod sample;
pub mod start;
pub mod threads;
pub mod train;
pub mod trained;

/// Small components that the tests train with.
#[cfg(test)]
#[path = "../../core/src/testing/starters/mod.rs"]
mod starters;

#[doc(inline)]
pub use triflow_core::*;

pub use config::Experiment;
pub use export::Exported;
pub use group::Group;
pub use inference::{Lengths, Prediction, Start};
pub use resolve::{Resolved, Unused};
pub use train::Trainer;
pub use trained::Trained;

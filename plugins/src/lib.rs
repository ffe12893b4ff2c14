//! The built-in components of triflow: one folder a kind, one file a component.
//!
//! Everything here uses only what the author of a plugin can use. Removing a file removes that
//! component; only its line in `mod.rs` and a default that names it go with it.

#![forbid(unsafe_code)]

// The components are written as anyone's, against `triflow`; of it they need no more than the
// readers of files.
extern crate triflow_engine as triflow;

pub mod couplings;
pub mod crns;
pub mod data_sources;
pub mod decoders;
pub mod encoders;
pub mod guidance;
pub mod loss_weightings;
pub mod lr_schedules;
pub mod metrics;
pub mod networks;
pub mod noise_schedules;
pub mod objectives;
pub mod optimizers;
pub mod paths;
pub mod projections;
pub mod recoveries;
pub mod solvers;
pub mod sources;
pub mod step_grids;
pub mod stopping;
pub mod time_samplers;
pub mod trackers;

mod conv;
mod layers;
mod pyramid;
mod tables;

triflow::inventory::submit! { triflow::registry::Defaults(include_str!("defaults.yaml")) }

/// Keeps the built-ins linked into a program that names none of them.
pub fn link() {}

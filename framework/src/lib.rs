//! triflow trains, samples and compares three parameterisations of one continuous-time generative
//! problem: flow matching (the network predicts the velocity), diffusion (the noise) and
//! continuous-time (the clean target).
//!
//! This crate re-exports the framework, which knows no component by name. The built-in components
//! are in `triflow-plugins`, the command in `triflow-cli`.

#![forbid(unsafe_code)]

pub use triflow_study::*;

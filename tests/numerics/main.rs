//! Numerics of every component against golden vectors, closed forms and properties: one subject a
//! module. `cargo test -p triflow-plugins --test numerics solvers::` runs one of them.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;
mod comparison;
mod configuration;
mod conformance;
mod conversions;
mod couplings;
mod damage;
mod data_sources;
mod frechet;
mod gaussian;
mod guidance;
mod images;
mod levels;
mod likelihood;
mod losses;
mod lr_schedules;
mod measure;
mod mixture;
mod networks;
mod offsets;
mod on_disk;
mod optimizers;
mod paths;
mod projections;
mod reflow;
mod registry;
mod resume;
mod row_weights;
mod rules;
mod sampling;
mod schedules;
mod sequence_starts;
mod sequences;
mod solvers;
mod sources;
mod starts;
mod stopping;
mod tables;
mod times;
mod toys;
mod training;
mod unused;
mod weightings;
mod wrong_values;

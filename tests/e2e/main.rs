//! The real command, end to end: one subject a module. `cargo test -p triflow-cli --test e2e
//! errors::` runs one of them.
//!
//! They belong to the command's package because cargo builds the binary only for tests of its own
//! package.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod book;
mod browser;
/// The command's own words on components.
#[path = "../../cli/src/catalogue.rs"]
mod catalogue;
mod command;
mod compare;
mod data;
mod errors;
/// The command's own reading of flags, for tests that run nothing.
#[allow(dead_code, reason = "the tests use parts of it")]
#[path = "../../cli/src/experiment.rs"]
mod experiment;
mod export;
mod faults;
mod features;
mod hostile;
mod images;
mod kept;
mod launcher;
mod likelihood;
mod load;
mod new_crate;
mod page;
mod plugins;
mod ranks;
mod readme;
mod reflow;
mod rerun;
mod resume;
mod sampling;
mod schema;
mod serve;
mod table_cells;
mod table_files;
mod tables;
mod tasks;
mod threads;
mod torture;
mod trackers;

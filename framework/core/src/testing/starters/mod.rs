//! The starters, compiled and tested like an author's own crate.

mod coupling;
mod crn;
mod data_source;
mod decoder;
mod encoder;
mod guidance;
mod loss_weighting;
mod lr_schedule;
mod metric;
mod network;
mod noise_schedule;
mod objective;
mod optimizer;
mod path;
mod projection;
mod recovery;
mod solver;
mod source;
mod step_grid;
mod stopping;
mod time_sampler;
mod tracker;

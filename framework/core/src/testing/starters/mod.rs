//! The starters, compiled and tested as a crate of one's own would be.

mod coupling;
mod crn;
mod data_source;
mod decoder;
mod encoder;
mod guidance;
mod network;
mod noise_schedule;
mod objective;
mod optimizer;
mod solver;
mod source;

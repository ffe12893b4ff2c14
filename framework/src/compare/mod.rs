//! Comparison: a grid of experiments, each trained at an equal budget on paired seeds, and what may be
//! said of the differences.

mod collect;
mod example;
mod grid;
mod html;
mod number;
mod outputs;
mod plan;
mod results;
mod statistics;
mod summary;
mod tables;
mod work;

pub use collect::{FAILURE, collect};
#[doc(hidden)]
pub use example::example;
pub use html::html;
pub use outputs::write;
pub use plan::{Job, Plan, Planned, Unit};
pub use results::{
    Better, Cell, Cloud, Cost, Curve, CurveOver, Losses, Made, Metric, Paths, Results, Schedule,
    Score, Spread, Verdict,
};
pub use summary::{Effect, Finding, Level, Summary, Word, Words, summary};
pub use tables::{csv, latex, markdown};
pub use work::{done, work};

//! Comparisons: a grid of experiments, each trained at an equal budget on the same seeds, with
//! paired statistics of their differences.

mod check;
mod collect;
mod example;
mod folder;
mod grid;
mod html;
mod idle;
mod job;
mod limits;
mod measurements;
mod missing;
mod name;
mod number;
mod outputs;
mod plan;
mod results;
mod seal;
mod standing;
mod statistics;
mod summary;
mod tables;
mod words;
mod work;

pub use check::{rule_out, unbuildable};
pub use collect::collect;
#[doc(hidden)]
pub use example::example;
pub use folder::{fresh, lock};
pub use html::html;
pub use missing::missing;
pub use outputs::write;
pub use plan::{Job, Plan, Planned, Unit};
pub use results::{
    Better, Cell, Cloud, Cost, Curve, CurveOver, Losses, Metric, Paths, Provenance, Results,
    Schedule, Score, Spread, Verdict,
};
pub use standing::{Standing, State, fail, standing, state};
pub use summary::{Effect, Finding, Level, Summary, summary};
pub use tables::{csv, latex, markdown};
pub use words::{Word, Words};
pub use work::{Unfinished, Worked, check_data, left, work};

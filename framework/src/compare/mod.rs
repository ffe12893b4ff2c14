//! Comparison: a grid of experiments, each trained at an equal budget on paired seeds, and what may be
//! said of the differences.

mod collect;
mod grid;
mod plan;
mod results;
mod statistics;
mod work;

pub use collect::{FAILURE, collect};
pub use plan::{Job, Plan, Planned, Unit};
pub use results::{
    Better, Cell, Cloud, Cost, Curve, CurveOver, Losses, Made, Metric, Paths, Results, Schedule,
    Score, Spread, Verdict,
};
pub use work::{done, work};

/// Writes what was found into the comparison's folder.
pub fn write(results: &Results, folder: &std::path::Path) -> crate::Result<()> {
    use std::io::Write as _;
    let text = serde_json::to_string(results).map_err(|e| crate::Error::runtime(e.to_string()))?;
    crate::io::write_atomically(&folder.join("results.json"), |f| f.write_all(text.as_bytes()))
}

//! Comparison: a grid of experiments, each trained at an equal budget on paired seeds, and what may be
//! said of the differences.

mod results;

pub use results::{
    Better, Cell, Cloud, Cost, Curve, CurveOver, Losses, Made, Metric, Paths, Results, Schedule,
    Score, Spread, Verdict,
};

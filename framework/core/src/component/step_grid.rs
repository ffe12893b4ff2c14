use crate::component_kind;
use crate::error::Result;
use crate::point::{Clock, Grid};

component_kind! {
    /// Spacing of a solver's steps between noise and data.
    kind "step_grid", context<'a> ();

    /// Places the nodes of a solver's steps. An adaptive solver chooses its own nodes and uses only
    /// the clock.
    pub trait StepGrid {
        /// The `steps + 1` nodes from `start` to `end`, both in the grid's clock; `steps` is at
        /// least 1. Nodes increase, and the ends are exact.
        fn nodes(&self, start: f64, end: f64, steps: usize) -> Result<Grid>;
    }
    provided {
        /// The clock in which nodes are given and solvers step.
        fn clock(&self) -> Result<Clock> {
            Ok(Clock::Gamma)
        }
    }
}

/// Equal steps in a clock.
impl StepGrid for Clock {
    fn nodes(&self, start: f64, end: f64, steps: usize) -> Result<Grid> {
        Ok(Grid::uniform(start, end, steps))
    }

    fn clock(&self) -> Result<Clock> {
        Ok(*self)
    }
}

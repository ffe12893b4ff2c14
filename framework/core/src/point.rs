//! The clocks of solvers, and the nodes of their steps.

use crate::error::{Error, Result};
use std::cmp::Ordering::Less;

/// The variable that a solver steps in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Time t in \[0, 1\]; t = 0 is noise, t = 1 is data.
    Time,
    /// Log-SNR γ, increasing from noise to data.
    Gamma,
}

/// Nodes of a solver's steps, from noise to data, in the clock of the ODE (t or γ).
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// N + 1 nodes, increasing.
    pub nodes: Vec<f64>,
}

impl Grid {
    /// `steps` equal steps (at least one) from `from` to `to`. Nodes are computed, not accumulated.
    pub fn uniform(from: f64, to: f64, steps: usize) -> Self {
        let n = steps.max(1);
        let node = |i: usize| if i == n { to } else { from + (to - from) * i as f64 / n as f64 };
        Self { nodes: (0..=n).map(node).collect() }
    }

    /// This grid, if it has `steps + 1` nodes that increase from `from` to `to`.
    ///
    /// # Errors
    /// [`Error::Runtime`] with the first property that it lacks.
    pub fn checked(self, from: f64, to: f64, steps: usize) -> Result<Self> {
        let refuse = |found: String| Err(Error::runtime(format!("the step grid {found}")));
        let (nodes, count) = (&self.nodes, self.nodes.len());
        if count != steps + 1 {
            return refuse(format!("has {count} nodes for {steps} steps, expected {}", steps + 1));
        }
        if nodes[0] != from || nodes[steps] != to {
            let (first, last) = (nodes[0], nodes[steps]);
            return refuse(format!("goes from {first} to {last}, expected from {from} to {to}"));
        }
        match nodes.windows(2).position(|pair| pair[0].partial_cmp(&pair[1]) != Some(Less)) {
            Some(i) => {
                let (node, next) = (nodes[i], nodes[i + 1]);
                refuse(format!("does not increase: node {i} of {steps} is {node}, the next {next}"))
            }
            None => Ok(self),
        }
    }

    /// First node; 0 in an empty grid.
    pub fn start(&self) -> f64 {
        self.nodes.first().copied().unwrap_or(0.0)
    }

    /// Last node; 1 in an empty grid.
    pub fn end(&self) -> f64 {
        self.nodes.last().copied().unwrap_or(1.0)
    }
}

/// Distance from t = 0 and t = 1 at which a clock starts and ends where the path is singular there.
pub const END_GAP: f64 = 1e-3;

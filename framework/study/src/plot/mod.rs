//! Pictures of training and sampling, written as PNG files. Every function takes plain numbers and
//! a title, never a tensor or a run, so that it serves the framework, its plugins and a notebook
//! alike. Values that are not finite are left out, and their number is noted in the picture; data
//! without a value to draw are an error. A file is written whole or not at all.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use crate::{Error, Result};

mod axis;
mod canvas;
mod confusion;
mod data_view;
mod dates;
mod diagnostics;
mod figure;
mod frame;
mod functions;
mod groups;
mod images;
mod latent;
mod loss;
mod panel;
mod paths;
mod plane;
mod predictions;
mod quality;
mod rect;
mod regression;
mod samples;
mod series;
mod stats;
pub(crate) mod style;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod trajectories;

pub(crate) use axis::share_a_unit;
pub use data_view::{DataView, data_visualization};
pub use diagnostics::trajectory_diagnostics;
pub use functions::{FunctionView, Quantity, functions};
pub use images::{ImageBlock, ImageView, images};
pub use latent::latent_trajectories;
pub use loss::{LossTrends, Term, loss_trends};
pub use predictions::{Predicted, PredictionView, predictions};
pub use quality::{QualityCurve, QualityView, quality};
pub use samples::{SampleView, samples};
pub use series::{Series, SeriesExample, SeriesView, series, series_samples};
pub(crate) use table::{Differences, table_pictures};
pub use table::{TableView, correlations, marginals, pairs};
pub use trajectories::{TrajectoryView, trajectories};

/// Points of any dimension.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scatter {
    /// Coordinates, `[n, dim]` in row-major order.
    pub values: Vec<f64>,
    /// Number of coordinates of each point.
    pub dim: usize,
    /// Names of the coordinates; empty if they have none.
    pub names: Vec<String>,
}

impl Scatter {
    /// Points from their coordinates, `[n, dim]` in row-major order.
    pub fn new(values: Vec<f64>, dim: usize) -> Self {
        Scatter { values, dim, names: Vec::new() }
    }

    /// Sets the names of the coordinates; none if there is not one for each.
    #[must_use]
    pub fn named(self, names: &[String]) -> Self {
        let names = if names.len() == self.dim { names.to_vec() } else { Vec::new() };
        Scatter { names, ..self }
    }

    /// The name of coordinate `j`, or `letter` with its number as a subscript.
    fn name(&self, j: usize, letter: &str) -> String {
        const DIGITS: [char; 10] = ['₀', '₁', '₂', '₃', '₄', '₅', '₆', '₇', '₈', '₉'];
        let numbered = || format!("{letter}{}", DIGITS[(j + 1) % 10]);
        self.names.get(j).cloned().unwrap_or_else(numbered)
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.dim).unwrap_or(0)
    }

    /// `true` if there are no points.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The coordinates of point `i`.
    fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// Coordinate `j` of every point.
    fn column(&self, j: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().skip(j).step_by(self.dim.max(1)).copied()
    }

    /// The points at `indices`.
    fn select(&self, indices: &[usize]) -> Scatter {
        Scatter {
            values: indices.iter().flat_map(|i| self.row(*i)).copied().collect(),
            dim: self.dim,
            names: self.names.clone(),
        }
    }

    /// Checks that the values are complete rows and at least one of them is finite.
    fn check(&self, what: &str) -> Result<()> {
        if self.dim == 0 || !self.values.len().is_multiple_of(self.dim) {
            let (len, dim) = (self.values.len(), self.dim);
            return Err(Error::runtime(format!("{what}: {len} values are not rows of {dim}")));
        }
        if !self.values.iter().any(|v| stats::usable(*v)) {
            return Err(Error::runtime(format!(
                "{what}: nothing to draw, there is no finite value"
            )));
        }
        Ok(())
    }
}

/// Checks that there is one label a point.
fn check_labels(labels: Option<&[usize]>, points: &Scatter, what: &str) -> Result<()> {
    match labels {
        Some(labels) if labels.len() != points.len() => Err(Error::runtime(format!(
            "{what}: {} labels for {} points",
            labels.len(),
            points.len()
        ))),
        _ => Ok(()),
    }
}

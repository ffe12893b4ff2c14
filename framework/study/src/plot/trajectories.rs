use std::path::Path;

use super::axis::Axis;
use super::paths::Drawing;
use super::{Scatter, check_labels};
use crate::{Error, Result};

/// Number of panels that show all samples at one time.
pub(super) const MOMENTS: usize = 6;

/// Contents of a picture of trajectories: the states of samples along the solver's steps.
#[derive(Debug, Clone, Default)]
pub struct TrajectoryView {
    /// The picture's title.
    pub title: String,
    /// Description of sampling: solver, steps, network evaluations, number.
    pub subtitle: String,
    /// Times of the states, in the order of the solver.
    pub times: Vec<f64>,
    /// States at those times, each of the same samples in the same order.
    pub states: Vec<Scatter>,
    /// Names of the coordinates of the states; numbered without one for each.
    pub names: Vec<String>,
    /// Real data in the space of the states; `None` if there are none in it.
    pub real: Option<Scatter>,
    /// Label of each sample; `None` without labels.
    pub labels: Option<Vec<usize>>,
    /// Names of the labels; a label without one is numbered.
    pub label_names: Vec<String>,
}

impl TrajectoryView {
    /// The states, each times its factor; the subtitle says so.
    #[must_use]
    pub fn scaled(mut self, scales: &[f64]) -> Self {
        for (state, scale) in self.states.iter_mut().zip(scales) {
            state.values.iter_mut().for_each(|value| *value *= scale);
        }
        self.subtitle += ", scaled as the network's input";
        self
    }

    /// Checks that there are two states or more of the same samples, with a finite time each.
    pub(super) fn check(&self) -> Result<()> {
        let (Some(first), Some(last)) = (self.states.first(), self.states.last()) else {
            return Err(Error::runtime("trajectories: nothing to draw, there are no states"));
        };
        if self.states.len() < 2 || self.times.len() != self.states.len() {
            let (s, t) = (self.states.len(), self.times.len());
            return Err(Error::runtime(format!(
                "trajectories: {s} states at {t} times; two or more of each are needed"
            )));
        }
        if let Some(t) = self.times.iter().find(|t| !t.is_finite()) {
            return Err(Error::runtime(format!("trajectories: a time is {t}")));
        }
        first.check("trajectories")?;
        if let Some(i) = self
            .states
            .iter()
            .position(|s| s.dim != first.dim || s.values.len() != first.values.len())
        {
            return Err(Error::runtime(format!(
                "trajectories: state {i} does not hold the same samples as state 0"
            )));
        }
        if self.start_time() == self.end_time() {
            return Err(Error::runtime("trajectories: they end at the time they start"));
        }
        check_labels(self.labels.as_deref(), last, "trajectories")
    }

    pub(super) fn start_time(&self) -> f64 {
        self.times.first().copied().unwrap_or(0.0)
    }

    pub(super) fn end_time(&self) -> f64 {
        self.times.last().copied().unwrap_or(1.0)
    }

    /// The number of samples.
    pub(super) fn samples(&self) -> usize {
        self.states.first().map_or(0, Scatter::len)
    }

    pub(super) fn dim(&self) -> usize {
        self.states.first().map_or(0, |s| s.dim)
    }

    /// The axis of time, from left to right in the order of the solver.
    pub(super) fn time_axis(&self) -> Axis {
        let (a, b) = (self.start_time(), self.end_time());
        Axis::linear((a - 0.015 * (b - a), b + 0.015 * (b - a)))
    }

    /// Real data, if they are of the states' dimension.
    pub(super) fn real(&self) -> Option<&Scatter> {
        self.real.as_ref().filter(|r| r.dim == self.dim() && r.check("real data").is_ok())
    }

    /// Indices of up to six states, evenly spaced in time, the first and the last among them.
    pub(super) fn moments(&self) -> Vec<usize> {
        let (a, b) = (self.start_time(), self.end_time());
        let nearest = |t: f64| {
            let distance = |i: &usize| (self.times[*i] - t).abs();
            (0..self.times.len()).min_by(|i, j| distance(i).total_cmp(&distance(j))).unwrap_or(0)
        };
        let spread = (0..MOMENTS).map(|k| nearest(a + (b - a) * k as f64 / (MOMENTS - 1) as f64));
        let mut chosen: Vec<usize> = spread.collect();
        chosen.dedup();
        chosen
    }
}

/// Draws trajectories to `path`: about a hundred paths from start to end over the real data, and
/// all states at six times. One dimension is drawn against time, more than two in the plane of the
/// first principal components of the real data (of the end states without them).
///
/// # Errors
/// If the states do not fit together, none of them is finite, or the file cannot be written.
pub fn trajectories(path: &Path, view: &TrajectoryView) -> Result<()> {
    view.check()?;
    let drawing = Drawing::new(view);
    let figure = if view.dim() == 1 { drawing.in_one_dimension() } else { drawing.in_the_plane() };
    figure?.save(path)
}

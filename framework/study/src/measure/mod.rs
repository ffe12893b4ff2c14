//! What a trained model scores on held-out rows, by task: the catalogue of metrics, and their evaluation.
//! Errors are in the data's own units, distances in those of `metrics.units`. The mathematics is in [`crate::metrics`], the pictures in
//! [`crate::report`].

mod catalogue;
mod draw;
mod generation;
mod intervals;
pub mod likelihood;
mod prediction;
mod scale;
mod scores;
mod sequences;

pub use catalogue::{Goal, Metric, MetricInfo, primary};
pub use draw::Cost;
pub(crate) use draw::{draw_paths, draw_rows, finite, how, labels, points, rows_of_paths};
pub(crate) use scale::Scale;
pub use scores::{Score, Scores};
pub(crate) use sequences::{BAND, band, ensemble};

use crate::data::HeldOut;
use crate::error::Result;
use crate::plot;
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::Tensor;

pub use crate::metrics::EXACT_POINTS;
/// Points of metrics that look at all pairs and sort or keep them: the first ones count, on both sides.
pub const PAIR_POINTS: usize = 5000;

/// What an evaluation draws.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seed of z_0. Without one, generation takes the experiment's, and regression starts from z_0 = 0; its
    /// random draws, for the CRPS, then come from the experiment's.
    pub seed: Option<u64>,
    /// How often everything is drawn anew: metrics are means over the draws, beside their deviations. From
    /// z_0 = 0 there is one draw alone; CRPS and coverage of a regression are of 40 random ones at least.
    pub draws: u64,
    /// The one metric that is measured, rather than all of the task.
    pub only: Option<Metric>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: None, draws: 5, only: None }
    }
}

/// What a model scored, and what that depends on.
#[derive(Debug)]
pub struct Evaluation {
    /// The name of the rows that it was measured on.
    pub set: String,
    /// How samples were drawn: number of rows, solver, steps, evaluations, running mean or not, seed, draws.
    pub sampling: Value,
    /// The units of distances, neighbours and kernels, and why; none where there are none.
    pub units: Option<&'static str>,
    /// The metrics.
    pub scores: Scores,
    /// What real rows score in place of generated ones; empty where there is no such thing.
    pub floor: Scores,
    /// Which rows those are.
    pub floor_of: &'static str,
    /// Name and values: the first draw, the real rows and their conditions, of a model that generates.
    pub arrays: Vec<(String, Tensor)>,
    /// Further numbers by name, that are no metric by themselves.
    pub details: Vec<(&'static str, Value)>,
    /// The work of drawing.
    pub cost: Cost,
}

impl Evaluation {
    /// As `metrics.json`, in which no time is measured: the same model gives the same bytes.
    pub fn to_json(&self) -> Value {
        let mut object = json!({ "set": self.set, "sampling": self.sampling });
        if let Some(units) = self.units {
            object["units"] = json!(units);
        }
        self.scores.write(&mut object);
        for (name, value) in &self.details {
            object[*name] = value.clone();
        }
        if !self.floor.is_empty() {
            object["floor"] = json!({ "of": self.floor_of });
            self.floor.write(&mut object["floor"]);
        }
        object
    }
}

/// The metrics of a trained model on held-out rows.
pub fn evaluate(model: &mut Trained, held: &HeldOut<'_>, options: &Options) -> Result<Evaluation> {
    match Goal::of(model) {
        Goal::Generation => generation::evaluate(model, held, options),
        Goal::Sequences => sequences::evaluate(model, held, options),
        goal => prediction::evaluate(model, goal, held, options),
    }
}

/// Points as metrics take them.
fn checked(points: &plot::Scatter) -> Result<crate::metrics::Points<'_>> {
    crate::metrics::Points::new(&points.values, points.dim)
}

//! Evaluation of trained models on held-out rows by the metrics of their task, which are
//! components. Errors are in the data's own units, or standardised where columns are of several
//! types; distances are in those of `metrics.units`. The mathematics is in [`crate::metrics`], the
//! pictures are in [`crate::report`].

mod catalogue;
mod columns;
mod draw;
mod generation;
mod given;
mod intervals;
pub mod likelihood;
mod prediction;
mod scale;
mod scores;
mod sequences;
mod tables;

pub use crate::component::Goal;
pub(crate) use catalogue::goals;
pub use catalogue::{Catalogue, Measure, goal, primary};
pub use draw::Cost;
pub(crate) use draw::{
    draw_paths, draw_rows, drawn_scales, finite, how, labels, points, rows_of_paths,
};
pub use given::GivenRows;
pub(crate) use scale::Scale;
pub use scores::{Score, Scores};
pub(crate) use sequences::{BAND, band, ensemble};

use crate::data::HeldOut;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::plot;
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::Tensor;

pub use crate::metrics::{EXACT_POINTS, PAIR_POINTS};

/// Seed, number of draws and choice of metrics of an evaluation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of z_0. With `None`, generation uses the experiment's seed, and predictions start from
    /// z_0 = 0, but for the random draws of CRPS and coverage, which use the experiment's seed.
    pub seed: Option<u64>,
    /// Number of draws: metrics are means over them, beside their standard deviations. There is one
    /// draw alone from z_0 = 0; CRPS and coverage of a regression are of at least 40 random ones.
    pub draws: u64,
    /// Name of the one metric to measure; `None` for all of the task.
    pub only: Option<String>,
    /// Processes that draw a share of the samples each. They all evaluate the same model on the
    /// same rows; the scores are those of rank 0, and empty in the others.
    pub group: Group,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: None, draws: 5, only: None, group: Group::alone() }
    }
}

/// The scores of a model, and what they depend on.
#[derive(Debug)]
pub struct Evaluation {
    /// Name of the rows that it was measured on, such as `test`.
    pub set: String,
    /// Details of sampling: number of rows, solver, steps, NFE, EMA weights or not, seed, draws.
    pub sampling: Value,
    /// Units of distances, neighbours and kernels, or of errors over columns of several types, with
    /// the reason; `None` for errors in the data's own units.
    pub units: Option<&'static str>,
    /// Metrics of the model.
    pub scores: Scores,
    /// Metrics that failed, each with the reason.
    pub failed: Vec<(String, String)>,
    /// Metrics of real rows in place of generated ones; empty where there is no such floor.
    pub floor: Scores,
    /// Description of the rows of the floor.
    pub floor_of: &'static str,
    /// Arrays of a model that generates, by name: the first draw, the real rows and their
    /// conditions.
    pub arrays: Vec<(String, Tensor)>,
    /// Predictions of the rows; `None` for a model that generates.
    pub predictions: Option<RowPredictions>,
    /// Further numbers by name, which are not in the catalogue.
    pub details: Vec<(&'static str, Value)>,
    /// Cost of drawing the samples.
    pub cost: Cost,
}

/// Predictions of held-out rows beside the truth, in the data's own units.
#[derive(Debug)]
pub struct RowPredictions {
    /// Predictions `[n, …target_shape]`: probabilities for labels and categories.
    pub mean: Tensor,
    /// Standard deviation of random draws in the same shape, NaN for rows that are not drawn;
    /// `None` without draws.
    pub deviation: Option<Tensor>,
    /// True targets.
    pub truth: Tensor,
}

impl Evaluation {
    /// The content of `metrics.json`. It holds no measured time: the same model gives the same
    /// bytes.
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
        for (name, why) in &self.failed {
            object["failed"][name] = json!(why);
        }
        object
    }
}

/// Measures a trained model on held-out rows, with the metrics of its task.
///
/// # Errors
/// If the model cannot be sampled, if what it draws is not finite, if rows cannot be read, and if a
/// metric that the experiment lists cannot be built. A metric that fails while it is measured is
/// reported in [`Evaluation::failed`].
pub fn evaluate(model: &mut Trained, held: &HeldOut<'_>, options: &Options) -> Result<Evaluation> {
    match goal(model) {
        Goal::Generation => generation::evaluate(model, held, None, options),
        Goal::Sequences => sequences::evaluate(model, held, options),
        goal => prediction::evaluate(model, goal, held, options),
    }
}

/// Measures generated rows from elsewhere as if the model had drawn them, each draw another part of
/// them.
///
/// # Errors
/// [`Error::Config`]: the model predicts, or the rows are sequences of different lengths. Those of
/// [`evaluate`].
pub fn evaluate_given(
    model: &mut Trained,
    held: &HeldOut<'_>,
    given: &GivenRows,
    options: &Options,
) -> Result<Evaluation> {
    match goal(model) {
        Goal::Generation => generation::evaluate(model, held, Some(given), options),
        _ => Err(Error::config("", "this run predicts, it has no samples to replace")),
    }
}

/// Points as the metrics take them, checked to be finite.
fn checked(points: &plot::Scatter) -> Result<crate::metrics::Points<'_>> {
    crate::metrics::Points::new(&points.values, points.dim)
}

/// Adds to `sampling` what the metrics need to be measured again.
fn record(catalogue: &Catalogue, seed: u64, sampling: &mut Value) {
    for metric in catalogue.iter() {
        match metric.record(seed) {
            Ok(None) => {}
            Ok(Some((name, json))) => {
                sampling[name] = serde_json::from_str(&json).unwrap_or(Value::String(json));
            }
            Err(e) => log::warn!("the metric `{}` records nothing: {e}", metric.name()),
        }
    }
}

//! What a comparison found, as `results.json` holds it and the report shows it.

pub use crate::metrics::Better;
use serde::{Deserialize, Serialize};

/// Everything that a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What was compared, as `two_moons: objective × noise_schedule`.
    pub title: String,
    /// The command that gives these results again.
    pub command: String,
    /// Where and when they were made.
    pub made: Provenance,
    /// `reg`, `gen` or `uncond_gen`.
    pub task: String,
    /// The data source.
    pub data: String,
    /// The keys that vary, in order.
    pub axes: Vec<String>,
    /// What each cell was trained for, as `50 epochs`.
    pub budget: String,
    /// Every value of a [`Spread`] belongs to the seed at the same place.
    pub seeds: Vec<u64>,
    /// In the order of the tables; the first decides.
    pub metrics: Vec<Metric>,
    /// What a reader has to know: cells that were merged, what failed, what the metrics leave out.
    pub notes: Vec<String>,
    /// One for each combination that differs.
    pub cells: Vec<Cell>,
    /// Held-out points to see the cells' samples beside.
    pub real: Option<Cloud>,
}

/// Where and when results were made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// RFC 3339.
    pub at: String,
    /// Version of triflow.
    pub version: String,
    /// The processor, its cores and the device.
    pub machine: String,
    /// Training and measuring, summed over all runs.
    pub seconds: f64,
}

/// A measure of quality or cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// As in `metrics.json`, such as `w2`.
    pub name: String,
    /// For a table's head, such as `W2`.
    pub title: String,
    /// What it is, in one sentence.
    pub what: String,
    /// `less`, `more`, or `none` where neither is better.
    pub better: Better,
    /// What real data score in place of samples, each seed's mean; none where there is no such thing.
    pub floor: Option<Spread>,
}

/// One way of doing it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What sets it apart, as `diffusion, cosine`.
    pub name: String,
    /// The value of each axis; none where the axis has no meaning for this cell.
    pub settings: Vec<Option<String>>,
    /// The experiment of its first seed, as YAML.
    pub config: String,
    /// Trains and samples this cell alone, with its first seed.
    pub command: String,
    /// What went wrong, with the seed it went wrong for.
    pub errors: Vec<String>,
    /// Seeds that are not measured yet and have not failed.
    #[serde(default)]
    pub waiting: Vec<u64>,
    /// Learned parameters.
    pub parameters: i64,
    /// How samples were drawn: solver, steps, grid, EMA or not, draws.
    pub sampling: String,
    /// In the order of [`Results::metrics`].
    pub metrics: Vec<Option<Score>>,
    /// What it costs.
    pub cost: Cost,
    /// The deciding metric against network evaluations, one for each solver.
    pub curves: Vec<Curve>,
    /// Of the first seed.
    pub losses: Losses,
    /// Over t in \[0, 1\]; none where the path uses no schedule.
    pub schedule: Option<Schedule>,
    /// Samples of the first seed on their way from noise to data, where they are points of a plane.
    pub paths: Option<Paths>,
}

/// A value for each seed; none where that seed failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// In the order of [`Results::seeds`].
    pub values: Vec<Option<f64>>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n − 1); none for fewer than two.
    pub sd: Option<f64>,
    /// 95 % interval of the mean, by Student's t; none for fewer than two.
    pub interval: Option<[f64; 2]>,
}

/// A cell's score in one metric, and how it stands against the best cell of that metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Over seeds.
    pub spread: Spread,
    /// Mean over seeds of the rank among all cells, from 1.
    pub rank: f64,
    /// This cell minus the best, paired by seed; none for the best itself.
    pub difference: Option<Spread>,
    /// Two-sided p of that difference (paired t test), Holm-corrected over all cells; none for fewer than two
    /// seeds, and for the best itself.
    pub p: Option<f64>,
    /// What may be said.
    pub verdict: Verdict,
}

/// What the statistics allow to say of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The best mean.
    Best,
    /// Not distinguishable from the best at 5 %.
    Tied,
    /// Worse than the best at 5 %.
    Worse,
    /// One seed cannot say.
    #[default]
    Unknown,
}

/// What a cell costs; over seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds of training.
    pub training_seconds: Spread,
    /// Training rows a second.
    pub examples_per_second: Spread,
    /// Largest resident memory of the process, in bytes.
    pub peak_memory_bytes: Spread,
    /// Network evaluations a sample.
    pub nfe: Spread,
    /// Seconds for 1,000 samples.
    pub seconds_per_1000_samples: Spread,
}

/// Quality against network evaluations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The solver's name.
    pub solver: String,
    /// Whether it chooses its steps, so that the curve is one point.
    pub adaptive: bool,
    /// From few evaluations to many.
    pub points: Vec<CurveOver>,
}

/// A place of a curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurveOver {
    /// Network evaluations a sample, mean over seeds.
    pub nfe: f64,
    /// The deciding metric over seeds.
    pub value: Spread,
}

/// The loss over the epochs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Total loss of each epoch on training rows.
    pub train: Vec<Option<f64>>,
    /// On validation rows.
    pub val: Vec<Option<f64>>,
}

/// A schedule's values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Times.
    pub t: Vec<f64>,
    /// log-SNR.
    pub gamma: Vec<f64>,
    /// sigmoid(gamma).
    pub alpha_bar: Vec<f64>,
}

/// Points of a plane, with labels if there are any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    /// In the data's own units.
    pub points: Vec<[f32; 2]>,
    /// The class of each.
    pub labels: Option<Vec<usize>>,
    /// Names of the classes; empty where they are called by their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Points on their way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Paths {
    /// From 0 (noise) to 1 (data).
    pub times: Vec<f64>,
    /// The points at each time; the last are the samples.
    pub states: Vec<Vec<[f32; 2]>>,
    /// The class of each point.
    pub labels: Option<Vec<usize>>,
}

pub use crate::metrics::Better;
use crate::report::SampledRows;
use serde::{Deserialize, Serialize};

/// The results of a comparison, as `results.json` holds them and the report shows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Title, such as `two_moons: objective × noise_schedule`.
    pub title: String,
    /// The command that reproduces these results.
    pub command: String,
    /// Origin of the results.
    pub made: Provenance,
    /// Task, such as `reg`, `gen` or `uncond_gen`.
    pub task: String,
    /// Data source with its numbers of rows, for readers.
    pub data: String,
    /// Keys that vary, in order.
    pub axes: Vec<String>,
    /// Training budget of each run for readers, such as `50 epochs`.
    pub budget: String,
    /// Seeds; each value of a [`Spread`] belongs to the seed at its index.
    pub seeds: Vec<u64>,
    /// Metrics in the order of the tables; the first is the primary one.
    pub metrics: Vec<Metric>,
    /// Remarks for readers: cells that were merged, failures, limits of the metrics.
    pub notes: Vec<String>,
    /// Cells, one for each combination that is an experiment of its own.
    pub cells: Vec<Cell>,
    /// Held-out points to show beside the cells' samples; null unless they are in a plane.
    pub real: Option<Cloud>,
}

/// Time, machine and version of results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Time at which they were made, in RFC 3339.
    pub at: String,
    /// Version of triflow.
    pub version: String,
    /// Processor, its number of cores, and device.
    pub machine: String,
    /// Seconds of training and measuring, summed over all runs.
    pub seconds: f64,
}

/// A metric of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Name in `metrics.json`, such as `w2`.
    pub name: String,
    /// Title in tables, such as `W2`.
    pub title: String,
    /// Description in one sentence.
    pub what: String,
    /// Direction: `less`, `more`, or `none` if neither is better.
    pub better: Better,
    /// Score of real data in place of samples, a mean for each seed; null if there is no such
    /// floor.
    pub floor: Option<Spread>,
}

/// A cell of the grid: one experiment, trained with all seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Name, which joins its settings, such as `diffusion, cosine`.
    pub name: String,
    /// Value of each axis; null if the axis has no effect on this cell.
    pub settings: Vec<Option<String>>,
    /// Experiment with the first seed, as YAML.
    pub config: String,
    /// The command that trains and samples this cell alone, with the first seed.
    pub command: String,
    /// Errors, each with its seed.
    pub errors: Vec<String>,
    /// Seeds that are not measured yet and have not failed.
    #[serde(default)]
    pub waiting: Vec<u64>,
    /// Number of learned parameters.
    pub parameters: i64,
    /// Sampling settings for readers: solver, steps, grid, EMA or not, draws.
    pub sampling: String,
    /// Scores in the order of [`Results::metrics`]; null if a metric was not measured.
    pub metrics: Vec<Option<Score>>,
    /// Cost of training and sampling.
    pub cost: Cost,
    /// Primary metric against network evaluations, a curve for each solver.
    pub curves: Vec<Curve>,
    /// Losses of the first seed.
    pub losses: Losses,
    /// Noise schedule over t in \[0, 1\]; null if the path uses none.
    pub schedule: Option<Schedule>,
    /// Paths of samples of the first seed from noise to data; null unless they are in a plane.
    pub paths: Option<Paths>,
    /// Rows of a table of one seed, real and generated, for the pictures of the report; they are
    /// not part of `results.json`.
    #[serde(skip)]
    pub rows: Option<SampledRows>,
}

/// Values by seed, with their mean and deviation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Values in the order of [`Results::seeds`]; null for a seed that failed.
    pub values: Vec<Option<f64>>,
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation (n − 1) of the values; null for fewer than two.
    pub sd: Option<f64>,
    /// 95 % interval of the mean, by Student's t; null for fewer than two values.
    pub interval: Option<[f64; 2]>,
}

/// A cell's score in one metric, compared with the best cell of that metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Values over seeds, in the metric's unit.
    pub spread: Spread,
    /// Mean over seeds of the rank among all cells, from 1.
    pub rank: f64,
    /// Difference of this cell to the best, paired by seed; null for the best itself.
    pub difference: Option<Spread>,
    /// Two-sided p of that difference (paired t test), Holm-corrected over all cells; null for
    /// fewer than two seeds, and for the best itself.
    pub p: Option<f64>,
    /// Verdict of the test at 5 %.
    pub verdict: Verdict,
}

/// The verdict of the statistics on a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Has the best mean.
    Best,
    /// Is not distinguishable from the best at 5 %.
    Tied,
    /// Is worse than the best at 5 %.
    Worse,
    /// Cannot be judged: too few seeds, or a metric without a direction.
    #[default]
    Unknown,
}

/// Cost of a cell over seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Wall-clock time of training, in seconds.
    pub training_seconds: Spread,
    /// Training throughput, in rows a second.
    pub examples_per_second: Spread,
    /// Largest resident memory of the process, in bytes.
    pub peak_memory_bytes: Spread,
    /// Network evaluations a sample.
    pub nfe: Spread,
    /// Wall-clock time for 1,000 samples, in seconds.
    pub seconds_per_1000_samples: Spread,
}

/// Primary metric against network evaluations, for one solver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The solver's name.
    pub solver: String,
    /// `true` if the solver chooses its own steps, so that the curve is one point.
    pub adaptive: bool,
    /// Points in the order of increasing evaluations.
    pub points: Vec<CurveOver>,
}

/// A point of a [`Curve`] over seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurveOver {
    /// Network evaluations a sample, mean over seeds.
    pub nfe: f64,
    /// Primary metric over seeds, in its own unit.
    pub value: Spread,
}

/// Losses over the epochs; null for an epoch without a value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// Total loss on the training rows, by epoch.
    pub train: Vec<Option<f64>>,
    /// Total loss on the validation rows, by epoch.
    pub val: Vec<Option<f64>>,
    /// Mean norm of the gradient before it is clipped, by epoch; empty in results of versions that
    /// did not write it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gradient_norm: Vec<Option<f64>>,
    /// Epoch after which `training.stopping` ended the training, and the reason; missing if it did
    /// not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// Values of a noise schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Times in \[0, 1\].
    pub t: Vec<f64>,
    /// log-SNR at those times.
    pub gamma: Vec<f64>,
    /// Signal share sigmoid(gamma) at those times.
    pub alpha_bar: Vec<f64>,
}

/// Points in a plane, with labels if there are any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    /// Points in the data's own units.
    pub points: Vec<[f32; 2]>,
    /// Class of each point; null without classes.
    pub labels: Option<Vec<usize>>,
    /// Names of the classes; empty if they are numbered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Paths of samples from noise to data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Paths {
    /// Times from 0 (noise) to 1 (data).
    pub times: Vec<f64>,
    /// Points at each time; the last are the samples.
    pub states: Vec<Vec<[f32; 2]>>,
    /// Class of each point; null without classes.
    pub labels: Option<Vec<usize>>,
}

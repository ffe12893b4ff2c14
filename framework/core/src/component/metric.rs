use super::metric_input::MetricInput;
use crate::component_kind;
use crate::error::{Error, Result};
use crate::metrics::Better;
use crate::parameters;
use crate::table::TableColumn;
use tch::Device;

/// The kind of task of a model, which decides the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Generates samples like the data.
    Generation,
    /// Predicts labels.
    Classification,
    /// Predicts values.
    Regression,
    /// Predicts values at the positions of sequences.
    Sequences,
}

impl Goal {
    /// All goals.
    pub const ALL: [Goal; 4] =
        [Goal::Generation, Goal::Classification, Goal::Regression, Goal::Sequences];

    /// Name for a heading.
    pub const fn name(self) -> &'static str {
        match self {
            Goal::Generation => "generation",
            Goal::Classification => "classification",
            Goal::Regression => "regression",
            Goal::Sequences => "prediction of sequences",
        }
    }
}

/// An input of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Generated points beside held-out ones: [`MetricInput::samples`], once a draw.
    Samples,
    /// Labels of the generated points, and labelled real points: [`MetricInput::labels`], with
    /// `Samples`. Not given without labels.
    Labels,
    /// Training points: [`MetricInput::train`], with `Samples`. Not given where the held-out rows
    /// are training rows.
    Train,
    /// One prediction a row: [`MetricInput::predictions`], once a draw.
    Predictions,
    /// Classes of the rows: [`MetricInput::classes`], with `Predictions`.
    Classes,
    /// Several random draws a row: [`MetricInput::draws`], once for each group of draws.
    Draws,
    /// All random draws of each row: [`MetricInput::ensemble`], once.
    Ensemble,
    /// −ln p of each row along the ODE: [`MetricInput::likelihood`], once. Measured where the
    /// likelihood is, which takes time: `comparison.likelihood`.
    Likelihood,
    /// Variational bound on −ln p of each row: [`MetricInput::bound`], where `Likelihood` is.
    Bound,
    /// Generated rows of a table beside real ones, in the data's own units:
    /// [`MetricInput::table`], with `Samples`. Not given where the data have no named columns.
    Table,
}

impl Need {
    /// All needs.
    pub const ALL: [Need; 10] = [
        Need::Samples,
        Need::Labels,
        Need::Train,
        Need::Predictions,
        Need::Classes,
        Need::Draws,
        Need::Ensemble,
        Need::Likelihood,
        Need::Bound,
        Need::Table,
    ];
}

/// Title, direction, goals and needs of a metric. Its name and its description, one sentence, are
/// the name and the first paragraph of the doc comment of its component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricInfo {
    /// Title in tables, with the unit if there is one, such as `NLL, nats`.
    pub title: String,
    /// Direction in which values are better.
    pub better: Better,
    /// Goals of the models that it applies to.
    pub goals: Vec<Goal>,
    /// Inputs without which it is not measured; it gets no others.
    pub needs: Vec<Need>,
    /// Place in tables, from 0. The first metric of a goal of which less is better decides
    /// comparisons that name none. Built-in ones are below 1000.
    pub rank: u32,
    /// True to measure it only where `metrics.extra` lists it, because it takes long or needs
    /// parameters.
    pub on_request: bool,
}

impl MetricInfo {
    /// A metric for models of `goals` that is measured from `needs`, behind the built-in ones.
    pub fn new(title: &str, better: Better, goals: &[Goal], needs: &[Need]) -> Self {
        let title = title.to_owned();
        let (goals, needs) = (goals.to_vec(), needs.to_vec());
        Self { title, better, goals, needs, rank: 1000, on_request: false }
    }

    /// A metric that compares generated with held-out points.
    pub fn of_samples(title: &str, better: Better) -> Self {
        Self::new(title, better, &[Goal::Generation], &[Need::Samples])
    }

    /// A metric that compares predicted with true values, of regression and sequences.
    pub fn of_predictions(title: &str, better: Better) -> Self {
        Self::new(title, better, &[Goal::Regression, Goal::Sequences], &[Need::Predictions])
    }

    /// A metric that compares generated with held-out rows of a table.
    pub fn of_tables(title: &str, better: Better) -> Self {
        Self::new(title, better, &[Goal::Generation], &[Need::Table])
    }

    /// This metric at another place in tables.
    #[must_use]
    pub fn ranked(self, rank: u32) -> Self {
        Self { rank, ..self }
    }

    /// True if one of `needs` is a need of the metric.
    pub fn needs_any(&self, needs: &[Need]) -> bool {
        self.needs.iter().any(|need| needs.contains(need))
    }
}

/// Context in which a metric is built.
#[derive(Clone, Debug)]
pub struct MetricContext {
    /// Device for computations that take long, such as features of a network.
    pub device: Device,
    /// Shape of one target; `None` while the data are unknown.
    pub shape: Option<Vec<i64>>,
    /// Columns of the rows for [`Need::Table`]; `None` while the data are unknown, and where they
    /// are no table.
    pub columns: Option<MetricColumns>,
}

/// Columns of the rows of a table that metrics compare: those of the target, followed by those of
/// the condition.
#[derive(Clone, Debug)]
pub struct MetricColumns {
    /// The columns.
    pub columns: Vec<TableColumn>,
    /// Number of the first columns that are generated; the others are given.
    pub generated: usize,
}

parameters! {
    /// Keys that every metric takes.
    pub struct MetricOptions {
        /// Name in `metrics.json` and of `comparison.metric`; null: that of the component. Two
        /// metrics of one component need names of their own.
        pub name: Option<String> = None,
    }
}

/// Checks that `name` can be that of a metric in `metrics.json`.
///
/// # Errors
/// [`Error::Config`] for a name with other characters than a–z, 0–9 and `_`, or of another entry.
pub fn check_metric_name(name: &str) -> Result<()> {
    const TAKEN: [&str; 10] = [
        "set",
        "sampling",
        "units",
        "values",
        "floor",
        "of",
        "failed",
        "likelihood",
        "intervals",
        "columns",
    ];
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        let message = format!("`{name}` is no name of a metric: needs a-z, 0-9 and _");
        return Err(Error::config("name", message));
    }
    if TAKEN.contains(&name) || name.ends_with("_deviation") {
        let message = format!("`{name}` is the name of another entry of metrics.json");
        return Err(Error::config("name", message));
    }
    Ok(())
}

component_kind! {
    /// A measure of samples or predictions on held-out rows.
    kind "metric", context<'a> MetricContext, common MetricOptions;

    /// Measures the quality of a model from its samples or predictions on held-out rows.
    ///
    /// A value depends on the inputs alone, and not on the order of the rows. The engine samples
    /// once for all metrics, and reports the mean and the deviation of the values over the draws.
    /// For [`Need::Samples`] it measures a floor as well, with real points in place of generated
    /// ones: training points or, for metrics with [`Need::Labels`] or [`Need::Train`], which
    /// compare with these, held-out points.
    ///
    /// A metric that fails or gives a value that is not finite is reported under `failed`; the
    /// others are measured all the same.
    pub trait Metric {
        /// Title, direction, goals and needs.
        fn info(&self) -> Result<MetricInfo>;
        /// The value; `None` if it is not defined for this input, such as for too few points.
        fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>>;
    }
    provided {
        /// An entry of `sampling` in `metrics.json` that is needed to measure the same again: its
        /// name and its value in JSON, given the metric's `seed`.
        fn record(&self, _seed: u64) -> Result<Option<(String, String)>> {
            Ok(None)
        }
    }
}

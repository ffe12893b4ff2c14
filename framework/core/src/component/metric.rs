use crate::component_kind;
use crate::error::{Error, Result};
use crate::metrics::{
    Better, DensityCoverage, Memo, PointSet, Points, PrecisionRecall, density_coverage,
    precision_recall,
};
use crate::parameters;
use crate::table::TableRows;
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

/// Generated points beside held-out ones, in the units of `metrics.units`. Sequences are zero in
/// their padding.
#[derive(Debug)]
pub struct Samples<'a> {
    /// Generated points, as many as held-out ones: flat rows of `shape`.
    pub generated: Points<'a>,
    /// Held-out points of the same conditions, in the order of the generated ones.
    pub held_out: &'a PointSet<'a>,
    /// Number of positions of each row, generated and held-out, that are not padding; `None` if
    /// rows have no padding.
    pub lengths: Option<&'a [i64]>,
    /// Conversion of values to the data's own units; `None` if they have these units.
    pub own_units: Option<OwnUnits<'a>>,
    precision_recall: Memo<Option<PrecisionRecall>>,
    density_coverage: Memo<Option<DensityCoverage>>,
}

impl<'a> Samples<'a> {
    /// Generated points beside held-out ones, in the data's own units and without padding.
    pub fn new(generated: Points<'a>, held_out: &'a PointSet<'a>) -> Self {
        Self {
            generated,
            held_out,
            lengths: None,
            own_units: None,
            precision_recall: Memo::default(),
            density_coverage: Memo::default(),
        }
    }

    /// These points in rows of `lengths` positions that are not padding, with a conversion to the
    /// data's own units.
    #[must_use]
    pub fn with(self, lengths: Option<&'a [i64]>, own_units: Option<OwnUnits<'a>>) -> Self {
        Self { lengths, own_units, ..self }
    }

    /// Precision and recall among the first [`PAIR_POINTS`](crate::metrics::PAIR_POINTS) points,
    /// with balls up to the `k`-th nearest neighbour, computed once for all metrics; `None` if
    /// there are too few points.
    ///
    /// # Errors
    /// [`Error::Runtime`] for points of different dimensions, and where `k` is 0.
    pub fn precision_recall(&self, k: usize) -> Result<Option<PrecisionRecall>> {
        self.precision_recall.get(k, || {
            let Some(real) = self.held_out.manifold(k)? else { return Ok(None) };
            let generated = PointSet::new(self.generated).manifold(k)?;
            generated.map(|generated| precision_recall(&real, &generated)).transpose()
        })
    }

    /// Density and coverage, as [`precision_recall`](Self::precision_recall).
    ///
    /// # Errors
    /// [`Error::Runtime`] for points of different dimensions, and where `k` is 0.
    pub fn density_coverage(&self, k: usize) -> Result<Option<DensityCoverage>> {
        self.density_coverage.get(k, || {
            let Some(real) = self.held_out.manifold(k)? else { return Ok(None) };
            density_coverage(&real, PointSet::new(self.generated).some()).map(Some)
        })
    }
}

/// Conversion to the data's own units: value·deviation + mean, entry by entry of a flat row.
#[derive(Clone, Copy, Debug)]
pub struct OwnUnits<'a> {
    /// Mean of each entry.
    pub mean: &'a [f64],
    /// Standard deviation of each entry.
    pub deviation: &'a [f64],
}

/// Labels of generated points, and real points with known labels.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// Label that each generated point was generated under; `None` for a model without condition.
    pub requested: Option<&'a [usize]>,
    /// Real points, of the training rows if there are any.
    pub points: Points<'a>,
    /// Label of each real point.
    pub labels: &'a [usize],
    /// Share of each class among all rows of which the real points are a part.
    pub shares: &'a [f64],
    /// True if the generated points are the real points themselves, so that each is to be compared
    /// with the others alone.
    pub themselves: bool,
}

/// One prediction a row, in the data's own units.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    /// True values: flat rows of `shape`. Rows of sequences are their positions without padding;
    /// labels are one-hot.
    pub truth: Points<'a>,
    /// Predicted values, row by row; probabilities of the classes for labels.
    pub predicted: Points<'a>,
}

/// Classes of the rows.
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    /// Logits of the classes, a row each.
    pub logits: Points<'a>,
    /// True class of each row.
    pub labels: &'a [i64],
}

/// Random draws of each row, in the data's own units.
#[derive(Clone, Copy, Debug)]
pub struct RandomDraws<'a> {
    /// True values, as in [`Predictions::truth`].
    pub truth: Points<'a>,
    /// The draws, each with as many rows as `truth`.
    pub draws: &'a [Points<'a>],
}

/// Generated rows of a table beside real ones, in the data's own units. The columns are those of
/// the target, followed by those of the condition; a label is a category.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// Generated rows, each under the condition of the held-out row of the same number.
    pub generated: TableRows<'a>,
    /// Held-out rows.
    pub held_out: TableRows<'a>,
    /// Training rows, at most [`PAIR_POINTS`](crate::metrics::PAIR_POINTS), evenly spaced over all
    /// rows; `None` where the held-out rows are training rows.
    pub train: Option<TableRows<'a>>,
    /// Number of the first columns that are generated; the others are given.
    pub generated_columns: usize,
}

/// Inputs of a metric: those that it declares in [`MetricInfo::needs`].
#[derive(Clone, Copy, Debug)]
pub struct MetricInput<'a> {
    /// Goal of the model.
    pub goal: Goal,
    /// Shape of one row before it was flattened, such as `[channels, height, width]`; `[features]`
    /// for the positions of predicted sequences.
    pub shape: &'a [i64],
    /// Seed of the metric's own random numbers, the same for all models of an experiment's seed.
    pub seed: u64,
    /// Generated points beside held-out ones.
    pub samples: Option<&'a Samples<'a>>,
    /// Labels of generated points, and labelled real points.
    pub labels: Option<Labelled<'a>>,
    /// Training points, at most [`PAIR_POINTS`](crate::metrics::PAIR_POINTS), evenly spaced over
    /// all rows, in the units of the samples.
    pub train: Option<Points<'a>>,
    /// One prediction a row.
    pub predictions: Option<Predictions<'a>>,
    /// Classes of the rows.
    pub classes: Option<Classes<'a>>,
    /// A group of random draws of each row.
    pub draws: Option<RandomDraws<'a>>,
    /// All random draws of each row.
    pub ensemble: Option<RandomDraws<'a>>,
    /// −ln p of each held-out row by the change of variables, in nats, in the data's own units.
    pub likelihood: Option<&'a [f64]>,
    /// Variational bound on it, row by row, in nats.
    pub bound: Option<&'a [f64]>,
    /// Generated rows of a table beside real ones.
    pub table: Option<Tables<'a>>,
}

impl<'a> MetricInput<'a> {
    /// No input yet.
    pub fn new(goal: Goal, shape: &'a [i64], seed: u64) -> Self {
        Self {
            goal,
            shape,
            seed,
            samples: None,
            labels: None,
            train: None,
            predictions: None,
            classes: None,
            draws: None,
            ensemble: None,
            likelihood: None,
            bound: None,
            table: None,
        }
    }

    /// True if the input is given.
    pub fn has(&self, need: Need) -> bool {
        match need {
            Need::Samples => self.samples.is_some(),
            Need::Labels => self.labels.is_some(),
            Need::Train => self.train.is_some(),
            Need::Predictions => self.predictions.is_some(),
            Need::Classes => self.classes.is_some(),
            Need::Draws => self.draws.is_some(),
            Need::Ensemble => self.ensemble.is_some(),
            Need::Likelihood => self.likelihood.is_some(),
            Need::Bound => self.bound.is_some(),
            Need::Table => self.table.is_some(),
        }
    }

    /// These inputs without those that are not among `needs`; `None` if one of `needs` is missing.
    pub fn only(&self, needs: &[Need]) -> Option<Self> {
        let mut kept = Self::new(self.goal, self.shape, self.seed);
        for need in needs {
            if !self.has(*need) {
                return None;
            }
            match need {
                Need::Samples => kept.samples = self.samples,
                Need::Labels => kept.labels = self.labels,
                Need::Train => kept.train = self.train,
                Need::Predictions => kept.predictions = self.predictions,
                Need::Classes => kept.classes = self.classes,
                Need::Draws => kept.draws = self.draws,
                Need::Ensemble => kept.ensemble = self.ensemble,
                Need::Likelihood => kept.likelihood = self.likelihood,
                Need::Bound => kept.bound = self.bound,
                Need::Table => kept.table = self.table,
            }
        }
        Some(kept)
    }

    /// Generated points beside held-out ones.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Samples`].
    pub fn samples(&self) -> Result<&'a Samples<'a>> {
        self.samples.ok_or_else(|| undeclared(Need::Samples))
    }

    /// Labels of generated points, and labelled real points.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Labels`].
    pub fn labels(&self) -> Result<Labelled<'a>> {
        self.labels.ok_or_else(|| undeclared(Need::Labels))
    }

    /// Training points.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Train`].
    pub fn train(&self) -> Result<Points<'a>> {
        self.train.ok_or_else(|| undeclared(Need::Train))
    }

    /// One prediction a row.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Predictions`].
    pub fn predictions(&self) -> Result<Predictions<'a>> {
        self.predictions.ok_or_else(|| undeclared(Need::Predictions))
    }

    /// Classes of the rows.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Classes`].
    pub fn classes(&self) -> Result<Classes<'a>> {
        self.classes.ok_or_else(|| undeclared(Need::Classes))
    }

    /// A group of random draws of each row.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Draws`].
    pub fn draws(&self) -> Result<RandomDraws<'a>> {
        self.draws.ok_or_else(|| undeclared(Need::Draws))
    }

    /// All random draws of each row.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Ensemble`].
    pub fn ensemble(&self) -> Result<RandomDraws<'a>> {
        self.ensemble.ok_or_else(|| undeclared(Need::Ensemble))
    }

    /// −ln p of each held-out row, in nats.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Likelihood`].
    pub fn likelihood(&self) -> Result<&'a [f64]> {
        self.likelihood.ok_or_else(|| undeclared(Need::Likelihood))
    }

    /// Variational bound on −ln p of each held-out row, in nats.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Bound`].
    pub fn bound(&self) -> Result<&'a [f64]> {
        self.bound.ok_or_else(|| undeclared(Need::Bound))
    }

    /// Generated rows of a table beside real ones.
    ///
    /// # Errors
    /// [`Error::Runtime`]: the metric does not declare [`Need::Table`].
    pub fn table(&self) -> Result<Tables<'a>> {
        self.table.ok_or_else(|| undeclared(Need::Table))
    }
}

fn undeclared(need: Need) -> Error {
    Error::runtime(format!("uses `Need::{need:?}`, which its `info` does not declare"))
}

/// Context in which a metric is built.
#[derive(Clone, Debug)]
pub struct MetricContext {
    /// Device for computations that take long, such as features of a network.
    pub device: Device,
    /// Shape of one target; `None` while the data are unknown.
    pub shape: Option<Vec<i64>>,
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
    const TAKEN: [&str; 9] =
        ["set", "sampling", "units", "values", "floor", "of", "failed", "likelihood", "intervals"];
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

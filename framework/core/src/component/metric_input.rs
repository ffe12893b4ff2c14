//! Inputs of metrics: each kind of input, and all of them together.

use super::metric::{Goal, Need};
use crate::error::{Error, Result};
use crate::metrics::{
    DensityCoverage, Memo, PointSet, Points, PrecisionRecall, density_coverage, precision_recall,
};
use crate::table::TableRows;

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

/// Inputs of a metric: those that it declares in [`MetricInfo::needs`](super::MetricInfo::needs).
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

//! Evaluation of models that generate: metrics between generated and real points.

use super::draw::{draw, how, labels, points};
use super::scale::Scale;
use super::scores::Draws;
use super::{Cost, Evaluation, Goal, Metric, Options, PAIR_POINTS, checked};
use crate::data::{Batch, HeldOut, Rows, Units};
use crate::error::Result;
use crate::metrics::{
    self, DENSITY_K, Manifold, NearestNeighbours, PRECISION_K, Points, REFEREE_K,
};
use crate::plot;
use crate::rng::{Purpose, stream_seed};
use crate::sequence;
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::{Device, Tensor};

/// Number of directions of the sliced distance.
const DIRECTIONS: usize = 256;

pub(super) fn evaluate(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
) -> Result<Evaluation> {
    let base_seed = options.seed.unwrap_or_else(|| model.experiment().seed());
    let seed = stream_seed(base_seed, Purpose::Report, 0);
    let draws = options.draws.max(1);
    let (mut scores, mut floor) = (Draws::new(options.only), Draws::new(options.only));
    let mut arrays = Vec::new();
    let (mut sampling, mut cost) = (Value::Null, Cost::default());
    let mut floor_rows = held.train.map(FloorRows::new).transpose()?;
    let scale = Scale::of(model);
    let referee = Referee::new(model.units(), scale, held, &scores)?;
    for draw_number in 0..draws {
        let rows = &held.rows_of(draw_number)?;
        let real = points(&scale.targets(model.units(), rows))?;
        let reference = Reference::new(checked(&real)?, seed, &scores)?;
        let (sampled, drawn) = draw(model, rows, Some((seed, draw_number)), &mut cost)?;
        let mask = rows.mask.as_ref();
        let generated = points(&scale.values(model.units(), &drawn, mask))?;
        reference.add(checked(&generated)?, &mut scores)?;
        if let Some(referee) = &referee {
            let requested = rows.condition.as_ref().map(labels).transpose()?;
            referee.add(checked(&generated)?, requested.as_deref(), &mut scores)?;
            if draw_number <= held.others.len() as u64 {
                referee.add_floor(checked(&real)?, requested.as_deref(), &mut floor)?;
            }
        }
        // The score of a perfect model: real rows in place of generated ones.
        if let Some(other) = floor_rows.as_mut().map(|all| all.next(rows)).transpose()?.flatten() {
            let other = points(&scale.targets(model.units(), &other))?;
            reference.add(checked(&other)?, &mut floor)?;
        }
        if draw_number == 0 {
            sampling = how(model, &sampled, rows.len(), Some(base_seed));
            sampling["draws"] = json!(draws);
            sampling["draw_in_file"] = json!(draw_number);
            if scores.wants(Metric::SlicedW2) {
                sampling["sliced_directions"] = json!({ "n": DIRECTIONS, "seed": seed });
            }
            arrays.push(("samples".to_owned(), drawn));
        }
    }
    let units = model.units();
    let real = own(units, &held.rows);
    arrays.push(("real".to_owned(), real));
    let condition = held.rows.condition.as_ref();
    arrays.extend(condition.map(|c| ("condition".to_owned(), units.condition.undo(c))));
    Ok(Evaluation {
        set: held.name.clone(),
        sampling,
        units: Some(scale.text),
        scores: scores.finish(Goal::Generation),
        floor: floor.finish(Goal::Generation),
        floor_of: match held.train {
            Some(_) => "training rows, with the same labels if any, against the same held-out rows",
            None => "the same rows, each among the others",
        },
        arrays,
        details: Vec::new(),
        cost,
    })
}

/// Targets in the data's own units; zeros in the padding of sequences.
fn own(units: &Units, rows: &Batch) -> Tensor {
    sequence::keep(&units.target.undo(&rows.target), rows.mask.as_ref())
}

/// Real points to compare with, and what all comparisons with them share.
struct Reference<'a> {
    real: Points<'a>,
    seed: u64,
    /// Bandwidth of the MMD's kernel; `None` if the MMD is not measured or has none for these
    /// points.
    bandwidth: Option<f64>,
    /// Neighbours of the first real points for precision and recall; `None` if there are too few
    /// points, or neither metric is measured.
    precision: Option<Manifold<'a>>,
    /// Neighbours for density and coverage, under the conditions of `precision`.
    density: Option<Manifold<'a>>,
}

impl<'a> Reference<'a> {
    fn new(real: Points<'a>, seed: u64, scores: &Draws) -> Result<Self> {
        let some = real.first(PAIR_POINTS);
        let manifold = |metrics: [Metric; 2], k: usize| {
            let possible = some.len() > k && scores.wants_any(&metrics);
            possible.then(|| Manifold::new(some, k)).transpose()
        };
        Ok(Self {
            real,
            seed,
            bandwidth: if scores.wants(Metric::Mmd2) { bandwidth(some) } else { None },
            precision: manifold([Metric::Precision, Metric::Recall], PRECISION_K)?,
            density: manifold([Metric::Density, Metric::Coverage], DENSITY_K)?,
        })
    }

    /// Adds the scores of `points`, as many as there are real ones.
    fn add(&self, points: Points, to: &mut Draws) -> Result<()> {
        let (real, seed) = (self.real, self.seed);
        if to.wants(Metric::W2) {
            to.add(Metric::W2, metrics::wasserstein2(points, real)?);
        }
        if to.wants(Metric::SlicedW2) {
            let sliced = metrics::sliced_wasserstein2_drawn(points, real, DIRECTIONS, seed)?;
            to.add(Metric::SlicedW2, sliced);
        }
        if to.wants(Metric::EnergyDistance) && points.len() > 1 && real.len() > 1 {
            to.add(Metric::EnergyDistance, metrics::energy_distance(points, real)?.v);
        }
        let some = points.first(PAIR_POINTS);
        if let Some(bandwidth) = self.bandwidth {
            let mmd2 = metrics::mmd2(some, real.first(PAIR_POINTS), &[bandwidth])?;
            to.add(Metric::Mmd2, mmd2.v);
        }
        if let Some(manifold) = &self.precision {
            let other = Manifold::new(some, PRECISION_K)?;
            let found = metrics::precision_recall(manifold, &other)?;
            to.add(Metric::Precision, found.precision);
            to.add(Metric::Recall, found.recall);
        }
        if let Some(manifold) = &self.density {
            let found = metrics::density_coverage(manifold, some)?;
            to.add(Metric::Density, found.density);
            to.add(Metric::Coverage, found.coverage);
        }
        Ok(())
    }
}

/// Median distance between the real points, so that the kernel does not depend on the model; `None`
/// if it is not defined.
fn bandwidth(points: Points) -> Option<f64> {
    let (first, rest) = points.values().split_at(points.dim());
    let first = Points::new(first, points.dim()).ok()?;
    let rest = Points::new(rest, points.dim()).ok()?;
    let found = metrics::median_bandwidth(first, rest);
    found.inspect_err(|e| log::debug!("no MMD: {e}")).ok()
}

/// A nearest-neighbour classifier of real points. It measures the agreement with the labels that
/// samples were generated under or, for a model without a condition, the shares of the classes.
struct Referee {
    real: plot::Scatter,
    labels: Vec<usize>,
    /// Share of each class among all rows with known labels, of which `real` may be a part.
    shares: Vec<f64>,
    /// `true` if it is fitted on the held-out points themselves.
    themselves: bool,
}

impl Referee {
    /// Fits the classifier on training rows, or on the held-out rows without these. Returns `None`
    /// if there are no labels, too few rows, or its metric is not measured.
    fn new(
        units: &Units,
        scale: Scale,
        held: &HeldOut<'_>,
        scores: &Draws,
    ) -> Result<Option<Self>> {
        let Some((known, metric)) = known_labels(units, held)? else { return Ok(None) };
        let all = known.len() as i64;
        if !scores.wants(metric) || all <= REFEREE_K as i64 {
            return Ok(None);
        }
        // Evenly spaced over all rows, which may be sorted by label.
        let most = all.min(PAIR_POINTS as i64);
        let themselves = held.train.is_none();
        let index: Vec<i64> = if themselves {
            (0..most).collect()
        } else {
            (0..most).map(|i| i * all / most).collect()
        };
        let kept = index.iter().map(|i| known[*i as usize]).collect();
        let index = Tensor::from_slice(&index).to_device(held.rows.target.device());
        let rows = match held.train {
            Some(train) => train.take(&index)?,
            None => held.rows.rows(&index),
        };
        Ok(Some(Self {
            real: points(&scale.targets(units, &rows))?,
            labels: kept,
            shares: shares(&known, known.iter().max().map_or(0, |most| most + 1)),
            themselves,
        }))
    }

    fn classifier(&self) -> Result<NearestNeighbours<'_>> {
        NearestNeighbours::new(checked(&self.real)?, &self.labels, REFEREE_K)
    }

    /// Adds the share of generated points with the `requested` labels, or the error of the classes'
    /// shares without such labels.
    fn add(&self, generated: Points, requested: Option<&[usize]>, to: &mut Draws) -> Result<()> {
        let classifier = self.classifier()?;
        match requested {
            Some(requested) => {
                to.add(Metric::ClassifierAgreement, classifier.agreement(generated, requested)?);
            }
            None => {
                let generated = shares(&classifier.classify(generated)?, self.shares.len());
                let errors = generated.iter().zip(&self.shares).map(|(a, b)| (a - b).abs());
                to.add(Metric::ClassShares, errors.sum::<f64>() / 2.0);
            }
        }
        Ok(())
    }

    /// Adds the score of real points, each classified without itself if it is fitted on them.
    fn add_floor(&self, real: Points, requested: Option<&[usize]>, to: &mut Draws) -> Result<()> {
        match requested {
            Some(_) if self.themselves => {
                let agreement = self.classifier()?.agreement_without_self()?;
                to.add(Metric::ClassifierAgreement, agreement);
                Ok(())
            }
            _ => self.add(real, requested, to),
        }
    }
}

/// Labels of the rows that a classifier is fitted on, and the metric that it measures: labels of
/// the condition, or labels that the model never sees; `None` without labels.
fn known_labels(units: &Units, held: &HeldOut<'_>) -> Result<Option<(Vec<usize>, Metric)>> {
    let (condition, unseen) = match held.train {
        Some(Rows { condition, labels, .. }) => {
            let labelled = condition.as_ref().map(|side| side.column.as_labels().map(classes));
            (labelled.map(Option::transpose).transpose()?, labels)
        }
        None => {
            let Batch { condition, labels: unseen, .. } = &held.rows;
            let labelled = condition.as_ref().map(|c| units.condition_is_label.then(|| labels(c)));
            (labelled.map(Option::transpose).transpose()?, unseen)
        }
    };
    Ok(match (condition, unseen) {
        (Some(labels), _) => labels.map(|labels| (labels, Metric::ClassifierAgreement)),
        (None, Some(labels)) => Some((classes(labels)?, Metric::ClassShares)),
        (None, None) => None,
    })
}

/// Share of each of the `classes` among `labels`.
fn shares(labels: &[usize], classes: usize) -> Vec<f64> {
    let mut counts = vec![0usize; classes];
    for label in labels {
        counts[*label] += 1;
    }
    counts.into_iter().map(|n| n as f64 / labels.len() as f64).collect()
}

/// Labels from a tensor `[n]` of int64.
fn classes(labels: &Tensor) -> Result<Vec<usize>> {
    let labels: Vec<i64> = Vec::try_from(labels.to_device(Device::Cpu))?;
    Ok(labels.into_iter().map(|label| label as usize).collect())
}

/// Training rows to put in place of generated ones, each at most once.
struct FloorRows<'a> {
    train: &'a Rows,
    /// Unused rows of each label, if the condition is a label.
    unused: Option<Vec<Vec<i64>>>,
    /// Number of rows used so far, if it is not.
    used: i64,
}

impl<'a> FloorRows<'a> {
    fn new(train: &'a Rows) -> Result<Self> {
        let condition = train.condition.as_ref().map(|side| &side.column);
        let labels = condition.and_then(|all| Some((all.as_labels()?, all.shape()[0])));
        let unused = labels.map(|(labels, count)| -> Result<_> {
            let mut rows = vec![Vec::new(); count as usize];
            for (row, label) in classes(labels)?.into_iter().enumerate().rev() {
                rows[label].push(row as i64);
            }
            Ok(rows)
        });
        Ok(Self { train, unused: unused.transpose()?, used: 0 })
    }

    /// Further rows, as many as `held` has and of its labels if there are any; `None` once there
    /// are not enough.
    fn next(&mut self, held: &Batch) -> Result<Option<Batch>> {
        let (n, train) = (held.len(), self.train);
        if let (Some(unused), Some(condition)) = (&mut self.unused, &held.condition) {
            let labels = labels(condition)?;
            let index: Option<Vec<i64>> =
                labels.iter().map(|label| unused.get_mut(*label)?.pop()).collect();
            let device = train.device();
            let index = index.map(|index| Tensor::from_slice(&index).to_device(device));
            return index.map(|index| train.take(&index)).transpose();
        }
        let from = self.used;
        self.used += n;
        (self.used <= train.len()).then(|| train.take(from..from + n)).transpose()
    }
}

//! Generated beside real points.

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

/// Directions of the sliced distance.
const DIRECTIONS: usize = 256;

pub(super) fn evaluate(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
) -> Result<Evaluation> {
    let asked = options.seed.unwrap_or_else(|| model.experiment().seed());
    let seed = stream_seed(asked, Purpose::Report, 0);
    let draws = options.draws.max(1);
    let (mut found, mut floor) = (Draws::new(options.only), Draws::new(options.only));
    let mut arrays = Vec::new();
    let (mut sampling, mut cost) = (Value::Null, Cost::default());
    let mut alike = held.train.map(Alike::new).transpose()?;
    let scale = Scale::of(model);
    let referee = Referee::new(model.units(), scale, held, &found)?;
    for draw_number in 0..draws {
        let rows = &held.rows_of(draw_number)?;
        let real = points(&scale.targets(model.units(), rows))?;
        let against = Against::new(checked(&real)?, seed, &found)?;
        let (sampled, drawn) = draw(model, rows, Some((seed, draw_number)), &mut cost)?;
        let mask = rows.mask.as_ref();
        let generated = points(&scale.values(model.units(), &drawn, mask))?;
        against.add(checked(&generated)?, &mut found)?;
        if let Some(referee) = &referee {
            let asked = rows.condition.as_ref().map(labels).transpose()?;
            referee.add(checked(&generated)?, asked.as_deref(), &mut found)?;
            if draw_number <= held.others.len() as u64 {
                referee.add_floor(checked(&real)?, asked.as_deref(), &mut floor)?;
            }
        }
        // What a perfect model would score: real rows in place of generated ones.
        if let Some(other) = alike.as_mut().map(|alike| alike.next(rows)).transpose()?.flatten() {
            let other = points(&scale.targets(model.units(), &other))?;
            against.add(checked(&other)?, &mut floor)?;
        }
        if draw_number == 0 {
            sampling = how(model, &sampled, rows.len(), Some(asked));
            sampling["draws"] = json!(draws);
            sampling["draw_in_file"] = json!(draw_number);
            if found.wants(Metric::SlicedW2) {
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
        scores: found.finish(Goal::Generation),
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

/// Real points to compare with, and what is the same for all that is compared with them.
struct Against<'a> {
    real: Points<'a>,
    seed: u64,
    /// Of the kernel; none where the points leave it open.
    bandwidth: Option<f64>,
    /// Of the first real points; none where there are too few.
    precision: Option<Manifold<'a>>,
    density: Option<Manifold<'a>>,
}

impl<'a> Against<'a> {
    fn new(real: Points<'a>, seed: u64, wanted: &Draws) -> Result<Self> {
        let some = real.first(PAIR_POINTS);
        let manifold = |of: [Metric; 2], k: usize| {
            let possible = some.len() > k && wanted.wants_any(&of);
            possible.then(|| Manifold::new(some, k)).transpose()
        };
        Ok(Self {
            real,
            seed,
            bandwidth: if wanted.wants(Metric::Mmd2) { bandwidth(some) } else { None },
            precision: manifold([Metric::Precision, Metric::Recall], PRECISION_K)?,
            density: manifold([Metric::Density, Metric::Coverage], DENSITY_K)?,
        })
    }

    /// Adds what as many points score.
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

/// The median distance between two of the points, so that it depends on no model.
fn bandwidth(points: Points) -> Option<f64> {
    let (first, rest) = points.values().split_at(points.dim());
    let first = Points::new(first, points.dim()).ok()?;
    let rest = Points::new(rest, points.dim()).ok()?;
    let found = metrics::median_bandwidth(first, rest);
    found.inspect_err(|e| log::debug!("no MMD: {e}")).ok()
}

/// A classifier that is fitted on real points: for labels that were asked for, or for how often each class
/// is drawn where none was.
struct Referee {
    real: plot::Scatter,
    labels: Vec<usize>,
    /// The share of each class among all rows that it could be fitted on.
    shares: Vec<f64>,
    /// Whether those are the held-out points themselves.
    themselves: bool,
}

impl Referee {
    /// Fitted on training rows, or on the held-out rows where there are none; none where there are no labels
    /// or too few rows.
    fn new(
        units: &Units,
        scale: Scale,
        held: &HeldOut<'_>,
        wanted: &Draws,
    ) -> Result<Option<Self>> {
        let Some((known, metric)) = known(units, held)? else { return Ok(None) };
        let all = known.len() as i64;
        if !wanted.wants(metric) || all <= REFEREE_K as i64 {
            return Ok(None);
        }
        // Evenly from all rows, which may be sorted by label.
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

    /// Adds how often generated points are what was asked for, or how far the shares of the classes are off.
    fn add(&self, generated: Points, asked: Option<&[usize]>, to: &mut Draws) -> Result<()> {
        let classifier = self.classifier()?;
        match asked {
            Some(asked) => {
                to.add(Metric::ClassifierAgreement, classifier.agreement(generated, asked)?);
            }
            None => {
                let found = shares(&classifier.classify(generated)?, self.shares.len());
                let apart = found.iter().zip(&self.shares).map(|(a, b)| (a - b).abs());
                to.add(Metric::ClassShares, apart.sum::<f64>() / 2.0);
            }
        }
        Ok(())
    }

    /// Adds the same of real points.
    fn add_floor(&self, real: Points, asked: Option<&[usize]>, to: &mut Draws) -> Result<()> {
        match asked {
            Some(_) if self.themselves => {
                let agreement = self.classifier()?.agreement_without_self()?;
                to.add(Metric::ClassifierAgreement, agreement);
                Ok(())
            }
            _ => self.add(real, asked, to),
        }
    }
}

/// The labels of the rows that a classifier is fitted on, and what it measures.
fn known(units: &Units, held: &HeldOut<'_>) -> Result<Option<(Vec<usize>, Metric)>> {
    let (asked, unseen) = match held.train {
        Some(Rows { condition, labels, .. }) => {
            let asked = condition.as_ref().map(|side| side.column.as_labels().map(classes));
            (asked.map(Option::transpose).transpose()?, labels)
        }
        None => {
            let Batch { condition, labels: unseen, .. } = &held.rows;
            let asked = condition.as_ref().map(|c| units.condition_is_label.then(|| labels(c)));
            (asked.map(Option::transpose).transpose()?, unseen)
        }
    };
    Ok(match (asked, unseen) {
        (Some(asked), _) => asked.map(|labels| (labels, Metric::ClassifierAgreement)),
        (None, Some(labels)) => Some((classes(labels)?, Metric::ClassShares)),
        (None, None) => None,
    })
}

/// The share of each of so many classes.
fn shares(labels: &[usize], classes: usize) -> Vec<f64> {
    let mut counts = vec![0usize; classes];
    for label in labels {
        counts[*label] += 1;
    }
    counts.into_iter().map(|n| n as f64 / labels.len() as f64).collect()
}

/// Classes `[n]` int64 as such.
fn classes(labels: &Tensor) -> Result<Vec<usize>> {
    let labels: Vec<i64> = Vec::try_from(labels.to_device(Device::Cpu))?;
    Ok(labels.into_iter().map(|label| label as usize).collect())
}

/// Training rows to put in place of generated ones, none of them twice.
struct Alike<'a> {
    train: &'a Rows,
    /// The rows of each label, where the condition is one.
    unused: Option<Vec<Vec<i64>>>,
    /// Rows that were used up, where it is none.
    used: i64,
}

impl<'a> Alike<'a> {
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

    /// As many further rows as `held` has, of its labels if there are any; none once they are used up.
    fn next(&mut self, held: &Batch) -> Result<Option<Batch>> {
        let (n, train) = (held.len(), self.train);
        if let (Some(unused), Some(wanted)) = (&mut self.unused, &held.condition) {
            let wanted = labels(wanted)?;
            let index: Option<Vec<i64>> =
                wanted.iter().map(|label| unused.get_mut(*label)?.pop()).collect();
            let device = train.device();
            let index = index.map(|index| Tensor::from_slice(&index).to_device(device));
            return index.map(|index| train.take(&index)).transpose();
        }
        let from = self.used;
        self.used += n;
        (self.used <= train.len()).then(|| train.take(from..from + n)).transpose()
    }
}

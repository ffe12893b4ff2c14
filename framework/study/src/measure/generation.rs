//! Evaluation of models that generate: metrics between generated and real points.

use super::draw::{draw, how, labels, points};
use super::scale::Scale;
use super::scores::Draws;
use super::tables::{RealRows, Schema};
use super::{Catalogue, Cost, Evaluation, GivenRows, Measure, Options, checked, record};
use crate::component::{Goal, Labelled, MetricInput, Need, OwnUnits, Samples};
use crate::data::{Batch, HeldOut, Rows, Units};
use crate::error::Result;
use crate::metrics::{PAIR_POINTS, PointSet, class_shares};
use crate::plot;
use crate::rng::{Purpose, stream_seed};
use crate::sequence;
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

pub(super) fn evaluate(
    model: &mut Trained,
    held: &HeldOut<'_>,
    given: Option<&GivenRows>,
    options: &Options,
) -> Result<Evaluation> {
    let base_seed = options.seed.unwrap_or_else(|| model.experiment().seed());
    let seed = stream_seed(base_seed, Purpose::Report, 0);
    let parts = given.map(|given| given.parts(held, options.draws)).transpose()?;
    let draws = parts.as_ref().map_or(options.draws.max(1), |parts| parts.len() as u64);
    let catalogue =
        Catalogue::of_model(model)?.measured(Goal::Generation, options.only.as_deref())?;
    let draws_of = || Draws::new(&catalogue).by_first(&options.group);
    let (mut scores, mut floor) = (draws_of(), draws_of());
    let mut arrays = Vec::new();
    let (mut sampling, mut cost) = (Value::Null, Cost::default());
    let mut floor_rows = held.train.map(FloorRows::new).transpose()?;
    let scale = Scale::of(model);
    let units = Entries::of(model.units(), scale)?;
    let shape = model.units().shapes.target.clone();
    let referee = match scores.want(&[Need::Labels]) {
        true => Referee::new(model.units(), scale, held)?,
        false => None,
    };
    let schema = Schema::of(model.units()).filter(|_| scores.want(&[Need::Table]));
    let some_train = match held.train {
        Some(all) if schema.is_some() || scores.want(&[Need::Train]) => Some(spread(all)?),
        _ => None,
    };
    let train = some_train.as_ref().map(|rows| points(&scale.targets(model.units(), rows)));
    let train = train.transpose()?;
    let train_cells = schema.as_ref().zip(some_train);
    let train_cells = train_cells.map(|(schema, rows)| schema.own_cells(model.units(), &rows));
    let train_cells = train_cells.transpose()?;
    for draw_number in 0..draws {
        let part = parts.as_ref().and_then(|parts| parts.get(draw_number as usize));
        let rows = held.rows_of(draw_number)?;
        let rows = &part.map_or_else(|| rows.first(rows.len()), |part| rows.first(part.len()));
        // The rows whose conditions the generated ones have.
        let asked = part.unwrap_or(rows);
        let real = points(&scale.targets(model.units(), rows))?;
        let real = PointSet::new(checked(&real)?);
        let (sampled, drawn) = match part {
            Some(part) => (None, own(model.units(), part)),
            None => {
                let at = Some((seed, draw_number));
                let (sampled, drawn) = draw(model, rows, at, &options.group, &mut cost)?;
                (Some(sampled), drawn)
            }
        };
        let mask = rows.mask.as_ref();
        let lengths = mask.map(lengths).transpose()?;
        let generated = points(&scale.values(model.units(), &drawn, mask))?;
        let requested = match &referee {
            Some(_) => asked.condition.as_ref().map(labels).transpose()?,
            None => None,
        };
        let labelled = |of_floor| match &referee {
            Some(referee) => referee.labelled(requested.as_deref(), of_floor).map(Some),
            None => Ok(None),
        };
        let real_rows =
            RealRows::new(schema.as_ref(), model.units(), rows, train_cells.as_deref())?;
        let made_cells = schema.as_ref().map(|schema| schema.cells(model.units(), &drawn, asked));
        let made_cells = made_cells.transpose()?;
        let beside = |made| real_rows.as_ref().zip(made).map(|(real, made)| real.beside(made));
        let own_units = units.as_ref().map(Entries::own_units);
        let with = |made| Samples::new(made, &real).with(lengths.as_deref(), own_units);
        let empty = MetricInput {
            train: train.as_ref().map(checked).transpose()?,
            ..MetricInput::new(Goal::Generation, &shape, seed)
        };
        let samples = with(checked(&generated)?);
        let labels = labelled(false)?;
        let table = beside(made_cells.as_deref());
        scores.add(&MetricInput { samples: Some(&samples), labels, table, ..empty });
        // The score of a perfect model: real rows in place of generated ones, which are none of
        // those that they are compared with.
        let of_training = |metric: &Measure| metric.info().needs_any(&[Need::Labels, Need::Train]);
        if draw_number < held.sets() {
            let samples = with(real.points());
            let labels = labelled(true)?;
            let table = real_rows.as_ref().map(RealRows::beside_themselves);
            let input = MetricInput { samples: Some(&samples), labels, table, ..empty };
            floor.add_if(&input, &of_training);
        }
        if let Some(other) = floor_rows.as_mut().map(|all| all.next(rows)).transpose()?.flatten() {
            let other_cells = schema
                .as_ref()
                .map(|schema| schema.own_cells(model.units(), &other))
                .transpose()?;
            let other = points(&scale.targets(model.units(), &other))?;
            let samples = with(checked(&other)?);
            let table = beside(other_cells.as_deref());
            let input = MetricInput { samples: Some(&samples), table, ..empty };
            floor.add_if(&input, &|metric| !of_training(metric));
        }
        if draw_number == 0 {
            sampling = match (&sampled, given) {
                (Some(sampled), _) => how(model, sampled, rows.len(), Some(base_seed)),
                (None, given) => json!({ "n": rows.len(), "file": given.map(|given| &given.name) }),
            };
            sampling["draws"] = json!(draws);
            sampling["draw_in_file"] = json!(draw_number);
            record(&catalogue, seed, &mut sampling);
            arrays.push(("samples".to_owned(), drawn));
        }
    }
    let units = model.units();
    let real = own(units, &held.rows);
    arrays.push(("real".to_owned(), real));
    let condition = held.rows.condition.as_ref();
    arrays.extend(condition.map(|c| ("condition".to_owned(), units.condition.undo(c))));
    let (scores, mut failed) = scores.finish();
    let (floor, of_floor) = floor.finish();
    let further = of_floor.into_iter().filter(|(name, _)| scores.get(name).is_some());
    failed.extend(further.map(|(name, why)| (format!("floor of {name}"), why)));
    Ok(Evaluation {
        set: held.name.clone(),
        sampling,
        units: Some(scale.text),
        scores,
        failed,
        floor,
        floor_of: match held.train {
            Some(_) => "training rows, with the same labels if any, against the same held-out rows",
            None => "the same rows, each among the others",
        },
        arrays,
        predictions: None,
        details: Vec::new(),
        cost,
    })
}

/// Targets in the data's own units; zeros in the padding of sequences.
fn own(units: &Units, rows: &Batch) -> Tensor {
    sequence::keep(&units.target.undo(&rows.target), rows.mask.as_ref())
}

/// Entry-wise conversion of flat rows to the data's own units.
struct Entries {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Entries {
    /// The conversion from the units of `scale`; `None` if they are the data's own.
    fn of(units: &Units, scale: Scale) -> Result<Option<Self>> {
        if !scale.standardised {
            return Ok(None);
        }
        let flat = |values: &Tensor| -> Result<Vec<f64>> {
            let row = values.to_device(Device::Cpu).to_kind(Kind::Double);
            let row = row.expand(units.shapes.target.as_slice(), false);
            Ok(Vec::try_from(row.contiguous().view([-1]))?)
        };
        let (mean, deviation) = (flat(&units.target.mean)?, flat(&units.target.deviation)?);
        Ok(Some(Self { mean, deviation }))
    }

    fn own_units(&self) -> OwnUnits<'_> {
        OwnUnits { mean: &self.mean, deviation: &self.deviation }
    }
}

/// Numbers of positions from a mask `[n, T]`.
fn lengths(mask: &Tensor) -> Result<Vec<i64>> {
    let lengths = mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64);
    Ok(Vec::try_from(lengths.to_device(Device::Cpu))?)
}

/// Indices of at most `most` of `all` rows, evenly spaced, as rows may be sorted by label.
fn spaced(all: i64, most: i64) -> Vec<i64> {
    let most = all.min(most);
    (0..most).map(|i| i * all / most).collect()
}

/// At most [`PAIR_POINTS`] training rows, evenly spaced over all.
fn spread(train: &Rows) -> Result<Batch> {
    train.spread(train.at_most(PAIR_POINTS as i64))
}

/// Real points with known labels, by which generated points are classified: those of the condition
/// or, for a model without one, labels that it never sees.
struct Referee {
    real: plot::Scatter,
    labels: Vec<usize>,
    /// Share of each class among all rows with known labels, of which `real` may be a part.
    shares: Vec<f64>,
    /// `true` if they are the held-out points themselves.
    themselves: bool,
}

impl Referee {
    /// Takes training rows, or the held-out rows without these. Returns `None` without labels.
    fn new(units: &Units, scale: Scale, held: &HeldOut<'_>) -> Result<Option<Self>> {
        let Some(known) = known_labels(units, held)?.filter(|known| !known.is_empty()) else {
            return Ok(None);
        };
        let all = known.len() as i64;
        let themselves = held.train.is_none();
        let index: Vec<i64> = match held.train {
            Some(train) => spaced(all, train.at_most(PAIR_POINTS as i64)),
            None => (0..all.min(PAIR_POINTS as i64)).collect(),
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
            shares: class_shares(&known, known.iter().max().map_or(0, |most| most + 1)),
            themselves,
        }))
    }

    /// The input of metrics, for generated points or for held-out points in their place.
    fn labelled<'a>(
        &'a self,
        requested: Option<&'a [usize]>,
        of_floor: bool,
    ) -> Result<Labelled<'a>> {
        Ok(Labelled {
            requested,
            points: checked(&self.real)?,
            labels: &self.labels,
            shares: &self.shares,
            themselves: of_floor && self.themselves,
        })
    }
}

/// Labels of the rows that a classifier is fitted on: those of the condition, or labels that the
/// model never sees; `None` without labels.
fn known_labels(units: &Units, held: &HeldOut<'_>) -> Result<Option<Vec<usize>>> {
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
    match (condition, unseen) {
        (Some(labels), _) => Ok(labels),
        (None, Some(labels)) => classes(labels).map(Some),
        (None, None) => Ok(None),
    }
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

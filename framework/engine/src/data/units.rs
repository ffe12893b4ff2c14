//! The data's own units and the model's: which side is learned, one-hot labels, normalisation. What a
//! model needs of its training data once it is trained.

use super::bytes::{self, Scale};
use super::classes::{Classes, is_label};
use super::disk::{self, OnDisk};
use super::found::Found;
use super::moments::columns;
use crate::component::{Part, Table, shape_text};
use crate::config::{Experiment, Task};
use crate::data::Set;
use crate::error::{Error, Result};
use crate::io::DiskRows;
use crate::memory;
use crate::sequence;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Shapes of one row of the data, as the task binds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shapes {
    /// What is learned.
    pub target: Vec<i64>,
    /// What it is learned from; `None` without condition.
    pub condition: Option<Vec<i64>>,
}

/// Scales values to mean 0 and deviation 1, and back.
///
/// It works in the model's precision, or in float64 where float32 would not hold the digits of a feature beside its
/// mean; the data's own units are float64 then.
#[derive(Debug)]
pub struct Normaliser {
    /// `[…]`, broadcastable to a row; in the precision of the data's own units.
    pub mean: Tensor,
    /// Likewise; 0 for a feature that does not vary, which comes back as its mean.
    pub deviation: Tensor,
    /// What values are divided by: the deviation, or 1.
    divisor: Tensor,
    /// The precision of normalised values.
    kind: Kind,
}

impl Clone for Normaliser {
    fn clone(&self) -> Self {
        Self {
            mean: self.mean.shallow_clone(),
            deviation: self.deviation.shallow_clone(),
            divisor: self.divisor.shallow_clone(),
            kind: self.kind,
        }
    }
}

/// `[n, …]` as columns that are scaled each by itself: of a larger shape there is one.
pub(super) fn features(values: &Tensor) -> Tensor {
    if values.dim() == 2 { values.shallow_clone() } else { values.reshape([-1, 1]) }
}

impl Normaliser {
    /// From mean and deviation of one precision; normalised values are of `kind`.
    pub fn new(mean: Tensor, deviation: Tensor, kind: Kind) -> Self {
        let divisor = deviation.where_self(&deviation.ne(0.0), &deviation.ones_like());
        Self { mean, deviation, divisor, kind }
    }

    /// Leaves values alone.
    pub fn identity(kind: Kind, device: Device) -> Self {
        let options = (kind, device);
        Self::new(Tensor::zeros([1], options), Tensor::ones([1], options), kind)
    }

    /// Fitted on `[n, …]`, for a model of precision `kind`: each feature of a vector by itself, all entries of a
    /// larger shape together.
    pub fn fit(values: &Tensor, kind: Kind) -> Self {
        let fitted =
            columns(values, kind).map(|(mean, deviation)| Self::fitted(mean, deviation, kind));
        fitted.map_or_else(
            || Self::identity(kind, values.device()),
            |own| own.to_device(values.device()),
        )
    }

    pub(super) fn to_device(&self, device: Device) -> Self {
        let of = |t: &Tensor| t.to_device(device);
        Self::new(of(&self.mean), of(&self.deviation), self.kind)
    }

    /// The precision of normalised values.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a unit of normalised values is in the data's own units, `[…]`; 1 for a feature that does not vary.
    pub fn scale(&self) -> &Tensor {
        &self.divisor
    }

    /// To mean 0 and deviation 1.
    pub fn apply(&self, values: &Tensor) -> Tensor {
        let mut centred = values.to_kind(self.mean.kind()) - &self.mean;
        centred /= &self.divisor;
        centred.to_kind(self.kind)
    }

    /// Back to the data's own units.
    pub fn undo(&self, values: &Tensor) -> Tensor {
        values.to_kind(self.mean.kind()) * &self.deviation + &self.mean
    }
}

/// The way from rows of the data to what the model works on, and back.
#[derive(Clone, Debug)]
pub struct Units {
    /// Shapes of one row.
    pub shapes: Shapes,
    /// Scales the target.
    pub target: Normaliser,
    /// Scales the condition.
    pub condition: Normaliser,
    /// Whether targets are one-hot labels.
    pub target_is_label: bool,
    /// Whether conditions are one-hot labels.
    pub condition_is_label: bool,
    /// Names of columns and classes.
    pub names: Names,
}

/// Names that the data have for their columns and classes; each list is empty where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Of the target's columns.
    pub target: Vec<String>,
    /// Of the condition's columns.
    pub condition: Vec<String>,
    /// Of the classes, by label.
    pub classes: Vec<String>,
}

/// The part of [`Units`] that is no tensor, as it is saved.
#[derive(Serialize, Deserialize)]
struct Header {
    shapes: Shapes,
    target_is_label: bool,
    condition_is_label: bool,
    #[serde(default)]
    names: Names,
}

impl Units {
    /// Fitted on the training rows. `classes` is the number of labels of y, if it holds labels.
    pub(super) fn fit(
        train: &Bound,
        experiment: &Experiment,
        classes: Option<i64>,
        (kind, device): (Kind, Device),
        found: &mut Found,
    ) -> Result<Self> {
        let task = experiment.task();
        let is_label = classes.is_some();
        let standardise = experiment.data.common().standardise;
        let mut fit = |values: Option<&Tensor>,
                       on_disk: &Option<DiskRows>,
                       mask: Option<&Tensor>,
                       is_label: bool,
                       part: Part|
         -> Result<Normaliser> {
            let identity = || Normaliser::identity(kind, device);
            let fitted = match (values, on_disk) {
                (None, _) => return Ok(identity()),
                (Some(_), None) if is_label => return Ok(identity()),
                (Some(_), Some(rows)) if rows.kind() == Kind::Uint8 => {
                    let fitted = disk::fit(rows, kind)?.to_device(device);
                    return Ok(if standardise { fitted } else { identity() });
                }
                (Some(_), Some(rows)) => disk::moments(rows)?.finish(),
                (Some(v), None) if bytes::kept(v) => {
                    return Ok(if standardise {
                        Normaliser::fit_bytes(v, kind)
                    } else {
                        identity()
                    });
                }
                (Some(v), None) if task.is_sequence() => {
                    columns(&sequence::positions(v, mask), kind)
                }
                (Some(v), None) => columns(v, kind),
            };
            let Some((mean, deviation)) = fitted else { return Ok(identity()) };
            found.measured(part, &deviation);
            if standardise {
                return Ok(Normaliser::fitted(mean, deviation, kind).to_device(device));
            }
            let narrowed = values.is_some_and(|v| loses_digits(v, &deviation, kind));
            if narrowed {
                log::warn!(
                    "float32 holds {part} less exactly than a thousandth of its deviation: leave \
                     `data.standardise` true, or set `training.precision: float64`"
                );
            }
            Ok(identity())
        };
        let (learned, from) = sides(task);
        let (target_is_label, condition_is_label) = (
            is_label && task == Task::Regression,
            is_label && task == Task::Generation && train.condition.is_some(),
        );
        let row = |t: &Tensor| t.size()[1..].to_vec();
        Ok(Self {
            shapes: Shapes {
                target: row(&train.target),
                condition: train.condition.as_ref().map(row),
            },
            target: fit(
                Some(&train.target),
                &train.on_disk.target,
                train.mask.as_ref(),
                target_is_label,
                learned,
            )?,
            condition: fit(
                train.condition.as_ref(),
                &train.on_disk.condition,
                train.condition_mask.as_ref(),
                condition_is_label,
                from,
            )?,
            target_is_label,
            condition_is_label,
            names: train.names.clone(),
        })
    }

    /// Rows in the data's own units, normalised.
    pub(super) fn apply(&self, rows: Bound) -> Set {
        let apply = |units: &Normaliser, values: Tensor, mask: &Option<Tensor>| match values {
            values if bytes::kept(&values) => values,
            values => sequence::keep(&units.apply(&values), mask.as_ref()).contiguous(),
        };
        Set {
            target: apply(&self.target, rows.target, &rows.mask),
            condition: rows.condition.map(|c| apply(&self.condition, c, &rows.condition_mask)),
            z0: rows.z0,
            mask: rows.mask,
            condition_mask: rows.condition_mask,
            labels: rows.labels,
            scale: Scale { target: self.target.clone(), condition: self.condition.clone() },
            on_disk: rows.on_disk,
        }
    }

    /// The classes, where targets or conditions are labels.
    pub(super) fn class_names(&self) -> Option<Classes> {
        self.classes().map(|count| Classes::of_model(&self.names.classes, count))
    }

    /// The label of the class called `name`.
    ///
    /// # Errors
    /// A name that no class has, with those that there are; a model without labels.
    pub fn label(&self, name: &str) -> Result<i64> {
        let classes = self.class_names();
        let none = || Error::config("", "this model knows no classes");
        classes.ok_or_else(none)?.label(name)
    }

    /// A further table whose columns and labels are put into the order of the training rows, by their names.
    ///
    /// # Errors
    /// A column that is missing, a class that no training row had.
    pub fn align(&self, mut table: Table, experiment: &Experiment) -> Result<Table> {
        match self.class_names() {
            Some(classes) => classes.align(&mut table, "the file has")?,
            None if !table.classes.is_empty() && !experiment.unconditional => {
                let message = "y of the file are class labels, but the model's are numbers";
                return Err(Error::config("data", message));
            }
            None => {}
        }
        let (learned, from) = (&self.names.target, &self.names.condition);
        let (x, y) = if experiment.task().learns_y() { (from, learned) } else { (learned, from) };
        for (part, known) in [(Part::X, x), (Part::Y, y)] {
            table.order_columns(part, known)?;
        }
        Ok(table)
    }

    /// Rows of a further table, normalised, on the model's device.
    pub fn rows(&self, table: Table, experiment: &Experiment) -> Result<Set> {
        let table = &self.align(table, experiment)?;
        let classes = self.classes();
        let (kind, device) = (self.target.kind(), self.target.mean.device());
        let rows = bind(table, experiment, classes, kind, device)?;
        self.check(&rows)?;
        let set = self.apply(rows);
        Ok(set.first(set.len()))
    }

    /// Number of labels, where one side is one-hot.
    pub(super) fn classes(&self) -> Option<i64> {
        let label = match self.target_is_label {
            true => Some(&self.shapes.target),
            false => self.shapes.condition.as_ref().filter(|_| self.condition_is_label),
        };
        label.and_then(|shape| shape.first().copied())
    }

    /// An error if rows have other shapes.
    pub(super) fn check(&self, rows: &Bound) -> Result<()> {
        let same = |what: &str, rows: Option<&Tensor>, shape: Option<&Vec<i64>>| match (rows, shape)
        {
            (Some(rows), Some(shape)) if rows.size()[1..] != shape[..] => {
                let (found, shape) = (shape_text(&rows.size()[1..]), shape_text(shape));
                let message = format!("the {what}s have shape {found}, the model's have {shape}");
                Err(Error::config("data", message))
            }
            _ => Ok(()),
        };
        same("target", Some(&rows.target), Some(&self.shapes.target))?;
        same("condition", rows.condition.as_ref(), self.shapes.condition.as_ref())
    }

    /// Names as texts beside arrays in a file: `columns` of samples or predictions, `condition_columns`, and
    /// `classes` by label.
    pub fn texts(&self) -> Vec<(&'static str, &[String])> {
        let names = &self.names;
        let all = [
            ("columns", &names.target, !self.target_is_label),
            ("condition_columns", &names.condition, !self.condition_is_label),
            ("classes", &names.classes, true),
        ];
        let there = all.into_iter().filter(|(_, names, fit)| *fit && !names.is_empty());
        there.map(|(name, names, _)| (name, &names[..])).collect()
    }

    /// Its tensors by name, and the rest as text.
    pub fn to_parts(&self) -> Result<(Vec<(String, Tensor)>, String)> {
        let mut tensors = Vec::new();
        for (side, normaliser) in [("target", &self.target), ("condition", &self.condition)] {
            tensors.push((format!("units.{side}.mean"), normaliser.mean.shallow_clone()));
            tensors.push((format!("units.{side}.deviation"), normaliser.deviation.shallow_clone()));
        }
        let header = Header {
            shapes: self.shapes.clone(),
            target_is_label: self.target_is_label,
            condition_is_label: self.condition_is_label,
            names: self.names.clone(),
        };
        let text = serde_json::to_string(&header).map_err(|e| Error::runtime(e.to_string()))?;
        Ok((tensors, text))
    }

    /// From what [`to_parts`](Self::to_parts) gave, for a model of this precision on this device; `find` gives a
    /// tensor by its name.
    pub fn from_parts(
        find: impl Fn(&str) -> Result<Tensor>,
        text: &str,
        (kind, device): (Kind, Device),
    ) -> Result<Self> {
        let header: Header = serde_json::from_str(text)
            .map_err(|e| Error::runtime(format!("the units of the data cannot be read: {e}")))?;
        let usable = |values: &Tensor, side: &str, what: &str| {
            let (good, wanted) = match what {
                // That of a column that does not vary is 0.
                "deviation" => {
                    (values.ge(0.0).logical_and(&values.isfinite()), "finite and at least 0")
                }
                _ => (values.isfinite(), "finite"),
            };
            if good.all().int64_value(&[]) == 1 {
                return Ok(());
            }
            let name = format!("units.{side}.{what}");
            let message = format!("the units of the data are damaged: `{name}` is not {wanted}");
            Err(Error::runtime(message))
        };
        let normaliser = |side: &str| -> Result<Normaliser> {
            let find = |what: &str| -> Result<Tensor> {
                let saved = find(&format!("units.{side}.{what}"))?;
                let own = if saved.kind() == Kind::Double { Kind::Double } else { kind };
                usable(&saved, side, what)?;
                Ok(saved.to_kind(own).to_device(device))
            };
            Ok(Normaliser::new(find("mean")?, find("deviation")?, kind))
        };
        Ok(Self {
            shapes: header.shapes,
            target: normaliser("target")?,
            condition: normaliser("condition")?,
            target_is_label: header.target_is_label,
            condition_is_label: header.condition_is_label,
            names: header.names,
        })
    }
}

/// Rows in the data's own units, as the task binds them.
pub(super) struct Bound {
    pub target: Tensor,
    pub condition: Option<Tensor>,
    pub z0: Option<Tensor>,
    pub mask: Option<Tensor>,
    pub condition_mask: Option<Tensor>,
    pub labels: Option<Tensor>,
    /// Sides that lie on disk; the tensors of these have no rows.
    pub on_disk: OnDisk,
    /// Of columns and classes.
    pub names: Names,
}

/// Rows of a table as the task binds them: labels one-hot over `classes`, all finite, on the device; numbers of
/// float64 as they are, until they are centred.
pub(super) fn bind(
    table: &Table,
    experiment: &Experiment,
    classes: Option<i64>,
    kind: Kind,
    device: Device,
) -> Result<Bound> {
    let n = rows_of(table)?;
    let (task, sequences) = (experiment.task(), experiment.task().is_sequence());
    if !sequences && (table.x_lengths.is_some() || table.y_lengths.is_some()) {
        log::warn!("the data have lengths of sequences, which the task `sequence` alone looks at");
    }
    let numbers = |t: &Tensor, name: &str, mask: Option<&Tensor>| -> Result<Tensor> {
        if bytes::kept(t) {
            return Ok(t.to_device(device));
        }
        let t = match classes {
            Some(classes) if is_label(t) => one_hot(t, classes)?,
            _ => t.shallow_clone(),
        };
        let own = if t.kind() == Kind::Double { Kind::Double } else { kind };
        let t = t.to_kind(own).to_device(device);
        let t = if t.dim() == 1 { t.unsqueeze(1) } else { t };
        let t = sequence::keep(&t, mask);
        let bad = not_finite(&t);
        if bad > 0 {
            return Err(Error::config(
                "data",
                format!("{name} holds {bad} values that are NaN or infinite"),
            )
            .help("remove or fill them first"));
        }
        Ok(t)
    };
    let no_rows = |rows: &DiskRows| {
        let kind = if rows.kind() == Kind::Uint8 { Kind::Uint8 } else { kind };
        Tensor::empty([&[0], rows.shape()].concat(), (kind, device))
    };
    let get = |part: Part| -> Result<(Tensor, Option<Tensor>, Option<DiskRows>)> {
        let (t, lengths, on_disk) = match part {
            Part::X => (&table.x, &table.x_lengths, &table.x_on_disk),
            Part::Y => (&table.y, &table.y_lengths, &table.y_on_disk),
        };
        let name = &part.to_string();
        if let Some(rows) = on_disk {
            if sequences {
                let message = "sequences cannot stay on disk";
                return Err(Error::config("data.keep", message).help("leave `keep` out"));
            }
            return Ok((no_rows(rows), None, Some(rows.clone())));
        }
        let t = t.as_ref().ok_or_else(|| {
            let missing = format!("the data have no {name}, which the task needs");
            let without = Error::config("data", missing);
            let is_condition = part == if task.learns_y() { Part::X } else { Part::Y };
            let go_without = (is_condition && !task.predicts())
                .then_some("generate without it: `unconditional: true`, or --unconditional");
            let ways: Vec<&str> = table.advice.as_deref().into_iter().chain(go_without).collect();
            if ways.is_empty() { without } else { without.help(ways.join("; or ")) }
        })?;
        if !sequences {
            return Ok((numbers(t, name, None)?, None, None));
        }
        let t = sequence::rows(t.shallow_clone(), name)?;
        let size = (n, t.size()[1]);
        let mask = match lengths {
            Some(lengths) => sequence::mask(lengths, size, name, (kind, device))?,
            None => None,
        };
        Ok((numbers(&t, name, mask.as_ref())?, mask, None))
    };
    if task.predicts() && experiment.unconditional {
        let what = if sequences { "a prediction" } else { "regression" };
        return Err(Error::config(
            "unconditional",
            format!("{what} has a condition; only generation can go without"),
        ));
    }
    let (learned, from) = sides(task);
    let (target, mask, target_on_disk) = get(learned)?;
    let (condition, condition_mask, condition_on_disk) = match experiment.unconditional {
        true => (None, None, None),
        false => get(from).map(|(condition, mask, rows)| (Some(condition), mask, rows))?,
    };
    let z0 = match &table.z0_on_disk {
        Some(rows) => Some(no_rows(rows)),
        None => {
            let z0 = table.z0.as_ref().map(|z0| numbers(z0, "z0", None)).transpose()?;
            z0.map(|z0| z0.to_kind(kind))
        }
    };
    let on_disk = OnDisk {
        target: target_on_disk,
        condition: condition_on_disk,
        z0: table.z0_on_disk.clone(),
    };
    let unseen = table.y.as_ref().filter(|y| {
        let generates = task == Task::Generation && experiment.unconditional;
        generates && is_label(y)
    });
    let labels = unseen.map(|y| y.to_device(device));
    let columns = |part: Part| match part {
        Part::X => table.x_names.clone(),
        Part::Y => table.y_names.clone(),
    };
    let names = Names {
        target: columns(learned),
        condition: condition.as_ref().map(|_| columns(from)).unwrap_or_default(),
        classes: table.classes.clone(),
    };
    Ok(Bound { target, condition, z0, mask, condition_mask, labels, on_disk, names })
}

/// What a task learns, and from what.
fn sides(task: Task) -> (Part, Part) {
    match task.learns_y() {
        true => (Part::Y, Part::X),
        false => (Part::X, Part::Y),
    }
}

/// Whether some column of `values` changes by more than a thousandth of its deviation in the precision `kind`.
fn loses_digits(values: &Tensor, deviation: &Tensor, kind: Kind) -> bool {
    if values.kind() != Kind::Double || kind == Kind::Double {
        return false;
    }
    let values = features(values);
    let change =
        (&values - values.to_kind(kind).to_kind(Kind::Double)).abs().amax([0].as_slice(), false);
    let most = deviation.to_device(values.device()) * 1e-3;
    let lost = change.gt_tensor(&most).logical_and(&deviation.to_device(values.device()).gt(0.0));
    lost.any().int64_value(&[]) == 1
}

/// How many values are NaN or infinite, some at a time: what is made of them on the way is wider than they are.
fn not_finite(t: &Tensor) -> i64 {
    let parts = t.reshape([-1]).split(disk::CHUNK as i64 / 8, 0);
    parts.iter().map(|p| p.isfinite().logical_not().sum(Kind::Int64).int64_value(&[])).sum()
}

/// Number of rows of a table.
pub(super) fn rows_of(table: &Table) -> Result<i64> {
    let count = |t: &Option<Tensor>| t.as_ref().map(|t| t.size().first().copied().unwrap_or(0));
    let side = |part| table.layout(part).map(|(_, shape)| shape.first().copied().unwrap_or(0));
    let n = match (side(Part::X), side(Part::Y)) {
        (Some(x), Some(y)) if x != y => {
            return Err(Error::config("data", format!("x has {x} rows, y has {y}")));
        }
        (Some(n), _) | (None, Some(n)) => n,
        (None, None) => {
            return Err(Error::config("data", "the source yields neither x nor y"));
        }
    };
    for (part, lengths) in [(Part::X, &table.x_lengths), (Part::Y, &table.y_lengths)] {
        if let Some(lengths) = lengths.as_ref().filter(|lengths| lengths.size() != [n]) {
            let message =
                format!("the lengths of {part} have shape {:?}, for {n} rows", lengths.size());
            return Err(Error::config("data", message).help("each row needs one whole number"));
        }
    }
    match count(&table.z0).or(table.z0_on_disk.as_ref().map(DiskRows::len)) {
        Some(z0) if z0 != n => Err(Error::config("data", format!("z0 has {z0} rows, x or y {n}"))),
        _ => Ok(n),
    }
}

/// An error if a label is none of so many classes.
pub fn check_labels(labels: &Tensor, classes: i64) -> Result<()> {
    if labels.numel() > 0 {
        let (low, high) = (labels.min().int64_value(&[]), labels.max().int64_value(&[]));
        let bad = if low < 0 { low } else { high };
        if low < 0 || high >= classes {
            let message = format!("label {bad} is not one of 0 to {}", classes - 1);
            return Err(Error::config("", message));
        }
    }
    Ok(())
}

/// Labels `[n]`, or one `[]`, as rows `[n, classes]` or `[classes]`, uint8.
///
/// # Errors
/// A label that is none of so many classes; rows that do not fit into memory as the numbers that are made of them.
pub fn one_hot(labels: &Tensor, classes: i64) -> Result<Tensor> {
    check_labels(labels, classes)?;
    let n = labels.numel() as u64;
    let bytes = n.saturating_mul(classes as u64).saturating_mul(5);
    if let Some(why) = memory::lacking(bytes) {
        let message = format!("a table of one-hot rows, {n} of {classes} classes, {why}");
        return Err(Error::config("", message)
            .help("ask for fewer at once; with as many classes, give numbers in place of labels"));
    }
    let index = labels.to_kind(Kind::Int64).unsqueeze(-1);
    let shape = [labels.size(), vec![classes]].concat();
    let rows = Tensor::zeros(shape, (Kind::Uint8, labels.device()));
    Ok(rows.scatter_value(-1, &index, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hot_rows_that_memory_cannot_hold_are_refused_with_the_bytes() {
        let rows = one_hot(&Tensor::from_slice(&[2_i64, 0]), 3).unwrap();
        let values: Vec<u8> = Vec::try_from(rows.reshape([-1])).unwrap();
        assert_eq!(values, [0, 0, 1, 1, 0, 0]);
        let many = Tensor::zeros([1], (Kind::Int64, Device::Cpu)).expand([600_010_000], false);
        let told = one_hot(&many, 60_001).unwrap_err().to_string();
        let bytes = "a table of one-hot rows, 600010000 of 60001 classes, needs 180006000050000 bytes of memory";
        assert!(told.starts_with(bytes) && told.contains("help: ask for fewer"), "{told}");
        assert!(one_hot(&Tensor::from_slice(&[3_i64]), 3).is_err());
    }
}

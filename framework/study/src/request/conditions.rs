//! Conditions of samples and predictions: labels, rows of a file, or rows in memory.

use super::counted;
use crate::component::{Columns, Part};
use crate::data::check_labels;
use crate::data::files::read_columns;
use crate::error::{Error, Result};
use crate::inference::Lengths;
use crate::sequence;
use crate::trained::Trained;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The conditions that a request gives.
#[derive(Debug, Default)]
pub enum Conditions<'a> {
    /// Every class, if the condition is a label; none otherwise.
    #[default]
    All,
    /// Classes by name.
    Labels(&'a [String]),
    /// Rows of a file.
    File(&'a Path),
    /// Rows in memory, of the one side that is the condition. The name stands for a file in
    /// messages.
    Rows(&'a str, Box<Columns>),
}

impl<'a> Conditions<'a> {
    /// Conditions of labels, none or some, or of a file, which wins.
    pub fn of(labels: &'a [String], file: Option<&'a Path>) -> Self {
        match (labels, file) {
            (_, Some(file)) => Self::File(file),
            ([], None) => Self::All,
            (labels, None) => Self::Labels(labels),
        }
    }

    /// Rows in memory for `model`, `[n, …]` in the data's own units or labels `[n]`, with the names
    /// of the classes if they are labels, and the lengths of conditions and targets that are
    /// sequences. `name` stands for a file in messages.
    pub fn rows(
        name: &'a str,
        (values, classes): (Tensor, Vec<String>),
        [x_lengths, y_lengths]: [Option<Tensor>; 2],
        model: &Trained,
    ) -> Self {
        let columns = Columns { classes, x_lengths, y_lengths, ..Columns::default() };
        let columns = match model.experiment().task().learns_y() {
            true => Columns { x: Some(values), ..columns },
            false => Columns { y: Some(values), ..columns },
        };
        Self::Rows(name, Box::new(columns))
    }

    /// Name of the rows in messages; `None` for labels.
    pub fn origin(&self) -> Option<&'a Path> {
        match self {
            Self::All | Self::Labels(_) => None,
            Self::File(file) => Some(file),
            Self::Rows(name, _) => Some(Path::new(*name)),
        }
    }
}

/// Conditions of samples or predictions.
#[derive(Debug)]
pub struct Inputs {
    /// Labels `[n]` or values `[n, …]`.
    pub values: Tensor,
    /// Lengths of sequences.
    pub lengths: Lengths,
    /// Numbers of the file's rows that are used; empty if all are.
    pub kept: Vec<i64>,
}

/// The requested conditions; `None` for an unconditional run.
///
/// # Errors
/// [`Error::Config`]: a label is none of the model's, or the model needs rows and none are given.
/// Those of [`read`].
pub fn conditions(model: &Trained, given: Conditions<'_>) -> Result<Option<Inputs>> {
    let Some(shape) = model.units().shapes.condition.clone() else { return Ok(None) };
    let is_label = model.units().condition_is_label;
    let part = if model.experiment().task().learns_y() { Part::X } else { Part::Y };
    let values = match given {
        Conditions::File(file) => return read(model, file, part).map(Some),
        Conditions::Rows(name, rows) => {
            return used(model, *rows, (Path::new(name), part)).map(Some);
        }
        Conditions::All if is_label => Tensor::arange(shape[0], (Kind::Int64, Device::Cpu)),
        Conditions::Labels(labels) if is_label => {
            let labels = labels.iter().map(|name| model.units().label(name.trim()));
            let labels = labels.collect::<Result<Vec<_>>>().map_err(|e| e.placed("--labels"))?;
            Tensor::from_slice(&labels)
        }
        Conditions::All | Conditions::Labels(_) => {
            return Err(Error::config("", "this run's condition is not a label")
                .help("give a file of conditions with --condition FILE"));
        }
    };
    Ok(Some(Inputs { values, lengths: Lengths::default(), kept: Vec::new() }))
}

/// Reads one side of a file, with columns and labels in the order of the training rows.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read, lacks the side or a column, or has no row that can be
/// used. [`Error::Config`]: it lacks an array or column that the experiment's `data` names.
pub fn read(model: &Trained, file: &Path, part: Part) -> Result<Inputs> {
    let table = read_columns(model.experiment(), file, &[part])?;
    used(model, table, (file, part))
}

/// The rows of one side, with columns and labels in the order of the training rows.
fn used(model: &Trained, table: Columns, (file, part): (&Path, Part)) -> Result<Inputs> {
    let experiment = model.experiment();
    let table = model.units().align(table, experiment);
    let table = usable(model, table.map_err(|e| Error::data(file, e.to_string()))?, (file, part))?;
    let values = match part {
        Part::X => table.x,
        Part::Y => table.y,
    };
    let values = values.ok_or_else(|| Error::data(file, format!("holds no {part}")))?;
    let values = model.units().condition_rows(&values);
    let values = values.map_err(|e| Error::data(file, e.to_string()))?;
    let lengths = match experiment.task().is_sequence() {
        true => Lengths { condition: table.x_lengths, target: table.y_lengths },
        false => Lengths::default(),
    };
    Ok(Inputs { values, lengths, kept: table.kept })
}

/// Leaves out the rows with a gap in a column of the conditions in which no training row has one.
fn usable(model: &Trained, table: Columns, (file, part): (&Path, Part)) -> Result<Columns> {
    let conditions = match part {
        Part::X => &table.x,
        Part::Y => &table.y,
    };
    let Some(values) = conditions else { return Ok(table) };
    let Some(complete) = model.units().complete_conditions(values) else { return Ok(table) };
    let n = values.size()[0];
    let left_out = n - complete.len() as i64;
    if complete.is_empty() {
        let message =
            format!("each row has a gap in a column of {part} in which no training row has one");
        return Err(Error::data(file, message).help("fill the missing cells"));
    }
    log::warn!(
        "{}: left out {} with a gap in a column of {part} in which no training row has one; `row` \
         in the output is the number of each other row in the file, from 0",
        file.display(),
        counted(left_out, "row")
    );
    let kept = match &table.kept[..] {
        [] => (0..n).collect(),
        kept => kept.to_vec(),
    };
    Ok(Columns { kept, ..table }.rows(&complete))
}

/// Conditions in the form that the model takes: labels `[n]`, which the model makes one-hot a block
/// at a time, or rows `[n, …]`; single numbers become rows of one.
///
/// # Errors
/// [`Error::Config`]: numbers are given for labels, or a label is none of the model's.
pub fn rows_of(model: &Trained, asked: &Tensor) -> Result<Tensor> {
    let units = model.units();
    if model.experiment().task().is_sequence() {
        return sequence::rows(asked.shallow_clone(), "the condition");
    }
    if asked.dim() > 1 {
        return Ok(asked.shallow_clone());
    }
    if !units.condition_is_label {
        return Ok(asked.unsqueeze(1));
    }
    if asked.kind() != Kind::Int64 {
        return Err(Error::config("", "this run's condition is a label, but the file has numbers"));
    }
    let classes = units.shapes.condition.as_ref().map_or(0, |shape| shape[0]);
    check_labels(asked, classes)?;
    Ok(asked.shallow_clone())
}

/// Checks that the rows of a file have the shape of the training rows.
///
/// # Errors
/// [`Error::Data`]: they have another one.
pub fn check_rows(model: &Trained, rows: &Tensor, file: Option<&Path>) -> Result<()> {
    if rows.dim() == 1 {
        return Ok(());
    }
    let (given, trained) = (rows.size()[1..].to_vec(), &model.units().shapes.condition);
    match (file, trained) {
        (Some(file), Some(trained)) if given != *trained => Err(Error::data(
            file,
            format!(
                "rows have shape {given:?}, but this run was trained on rows of shape {trained:?}"
            ),
        )),
        _ => Ok(()),
    }
}

/// Largest distance of a condition from the training rows, in their standard deviations. Far beyond
/// it the arithmetic of a network overflows.
const FAR: f64 = 1e12;

/// Checks that the values of rows `[n, …]`, of the shape of the training rows, are finite and not
/// absurdly far from these; padding of sequences may hold anything.
///
/// # Errors
/// [`Error::Data`]: the first row that has another value.
pub fn check_values(
    model: &Trained,
    rows: &Tensor,
    lengths: Option<&Tensor>,
    file: Option<&Path>,
) -> Result<()> {
    let Some(file) = file.filter(|_| rows.dim() > 1 && rows.is_floating_point()) else {
        return Ok(());
    };
    let normalised = model.units().condition.apply(&rows.to_device(model.device()));
    let mask = match (lengths, &rows.size()[..]) {
        (Some(lengths), [n, steps, ..]) => {
            let options = (normalised.kind(), normalised.device());
            sequence::mask(lengths, (*n, *steps), "the rows", options)?
        }
        _ => None,
    };
    // NaN is not within the bound either.
    let far = sequence::keep(&normalised, mask.as_ref()).abs().le(FAR).logical_not();
    let found = far.flatten(1, -1).any_dim(1, false).nonzero();
    if found.numel() == 0 {
        return Ok(());
    }
    let row = found.int64_value(&[0, 0]);
    Err(Error::data(
        file,
        format!(
            "row {row} (counted from 0) has a number that is not finite, or more than 10^12 standard \
             deviations from the training rows"
        ),
    ))
}

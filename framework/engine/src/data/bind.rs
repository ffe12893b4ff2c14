//! Binding of a table's x and y to targets and conditions by the task, with all checks of their
//! values.

use super::classes::{check_labels, is_label};
use super::column::Column;
use super::layout::{TableLayout, check_cells, check_codes};
use super::rows::{Rows, Side};
use super::units::Names;
use super::{bytes, disk};
use crate::component::{Columns, Part};
use crate::config::{Experiment, Task};
use crate::error::{Error, Result};
use crate::io::DiskRows;
use crate::sequence;
use tch::{Device, Kind, Tensor};

/// Binds a table: returns its rows in the data's own units, and the names of their columns and
/// classes. Labels of `classes` become one-hot rows. Values in memory are moved to the device and
/// checked to be finite; float64 stays float64 until it is centred.
pub(super) fn bind(
    table: &Columns,
    experiment: &Experiment,
    classes: Option<i64>,
    options: (Kind, Device),
) -> Result<(Rows, Names)> {
    let n = rows_of(table)?;
    let task = experiment.task();
    if !task.is_sequence() && (table.x_lengths.is_some() || table.y_lengths.is_some()) {
        log::warn!("the data have lengths of sequences, which only the task `sequence` uses");
    }
    let binding = Binding { table, experiment, classes, n, options };
    let (learned, from) = sides(task);
    let target = binding.side(learned)?;
    let condition = match experiment.unconditional {
        true => None,
        false => Some(binding.side(from)?),
    };
    let z0 = match (&table.z0_on_disk, &table.z0) {
        (Some(rows), _) => Some(Column::stored(rows.clone(), rows.shape().to_vec(), options)),
        (None, Some(z0)) => {
            let z0 = numbers(z0, "z0", None, options)?.to_kind(options.0);
            Some(Column::held(z0, options.0))
        }
        (None, None) => None,
    };
    // Classes that the model does not see, for metrics by class.
    let labels = table.y.as_ref().filter(|y| {
        let generates = task == Task::Generation && experiment.unconditional;
        generates && is_label(y)
    });
    let labels = labels.map(|y| y.to_device(options.1));
    let columns = |part: Part| match part {
        Part::X => table.x_columns.clone(),
        Part::Y => table.y_columns.clone(),
    };
    let names = Names {
        target: columns(learned),
        condition: condition.as_ref().map(|_| columns(from)).unwrap_or_default(),
        order: table.order.clone(),
        classes: table.classes.clone(),
    };
    Ok((Rows { target, condition, z0, labels }, names))
}

/// Binds one side of a table alone.
pub(super) fn bind_side(
    table: &Columns,
    part: Part,
    experiment: &Experiment,
    classes: Option<i64>,
    options: (Kind, Device),
) -> Result<Side> {
    Binding { table, experiment, classes, n: rows_of(table)?, options }.side(part)
}

/// A table and the options with which it is bound.
struct Binding<'t> {
    table: &'t Columns,
    experiment: &'t Experiment,
    classes: Option<i64>,
    n: i64,
    options: (Kind, Device),
}

impl Binding<'_> {
    fn side(&self, part: Part) -> Result<Side> {
        let Self { table, classes, options, .. } = *self;
        let (held, lengths, on_disk) = match part {
            Part::X => (&table.x, &table.x_lengths, &table.x_on_disk),
            Part::Y => (&table.y, &table.y_lengths, &table.y_on_disk),
        };
        let name = &part.to_string();
        let sequences = self.experiment.task().is_sequence();
        if let Some(rows) = on_disk {
            return self.stored(rows, name, lengths.as_ref().filter(|_| sequences));
        }
        let held = held.as_ref().ok_or_else(|| self.missing(part))?;
        if sequences {
            let held = sequence::rows(held.shallow_clone(), name)?;
            let lengths = self.lengths(lengths.as_ref(), held.size()[1], name)?;
            let mask = lengths.as_ref().map(|l| sequence::mask_of(l, held.size()[1], held.kind()));
            let values = numbers(&held, name, mask.as_ref(), options)?;
            let lengths = lengths.map(|lengths| lengths.to_device(options.1));
            return Ok(Side { column: Column::held(values, options.0), lengths });
        }
        let columns = match part {
            Part::X => &table.x_columns,
            Part::Y => &table.y_columns,
        };
        let layout = TableLayout::of(columns, options.1);
        if let Some(layout) = layout.filter(|_| held.size().get(1) == Some(&(columns.len() as i64)))
        {
            check_codes(held, columns)?;
            check_cells(held, columns)?;
            let cells = held.to_kind(Kind::Double).to_device(options.1);
            return Ok(Side { column: Column::table(&cells, layout, options.0), lengths: None });
        }
        let column = match classes {
            Some(classes) if part == Part::Y && is_label(held) => {
                check_labels(held, classes)?;
                Column::labels(held.reshape([-1]).to_device(options.1), classes, options.0)
            }
            _ => Column::held(numbers(held, name, None, options)?, options.0),
        };
        Ok(Side { column, lengths: None })
    }

    /// A side whose rows stay in their file.
    fn stored(&self, rows: &DiskRows, name: &str, lengths: Option<&Tensor>) -> Result<Side> {
        let shape = match self.experiment.task().is_sequence() {
            true => sequence::row_shape(rows.shape(), name)?.to_vec(),
            false => rows.shape().to_vec(),
        };
        let lengths = self.lengths(lengths, shape[0], name)?;
        let lengths = lengths.map(|lengths| lengths.to_device(self.options.1));
        Ok(Side { column: Column::stored(rows.clone(), shape, self.options), lengths })
    }

    /// Checks lengths of sequences; `None` if none has padding.
    fn lengths(&self, lengths: Option<&Tensor>, steps: i64, name: &str) -> Result<Option<Tensor>> {
        let checked = lengths.map(|lengths| sequence::check(lengths, (self.n, steps), name));
        Ok(checked.transpose()?.flatten())
    }

    fn missing(&self, part: Part) -> Error {
        let task = self.experiment.task();
        let missing = format!("the data have no {part}, which the task needs");
        let without = Error::config("data", missing);
        let is_condition = part == if task.learns_y() { Part::X } else { Part::Y };
        let unconditional = (is_condition && !task.predicts())
            .then_some("generate without it: `unconditional: true`, or --unconditional");
        let advice = self.table.advice.as_deref();
        let options: Vec<&str> = advice.into_iter().chain(unconditional).collect();
        if options.is_empty() { without } else { without.help(options.join("; or ")) }
    }
}

/// Moves values to the device, at least `[n, 1]`, in the model's precision or in float64; images in
/// bytes stay as they are.
///
/// # Errors
/// [`Error::Config`]: values outside the padding are NaN or infinite.
fn numbers(
    values: &Tensor,
    name: &str,
    mask: Option<&Tensor>,
    (kind, device): (Kind, Device),
) -> Result<Tensor> {
    if bytes::is_image(values) {
        return Ok(values.to_device(device));
    }
    let own = if values.kind() == Kind::Double { Kind::Double } else { kind };
    let values = values.to_kind(own).to_device(device);
    let values = if values.dim() == 1 { values.unsqueeze(1) } else { values };
    let values = match mask {
        Some(mask) => sequence::keep(&values, Some(&mask.to_device(device))),
        None => values,
    };
    let bad = not_finite(&values);
    if bad > 0 {
        let message = format!("{name} holds {bad} values that are NaN or infinite");
        return Err(Error::config("data", message).help("remove or fill them first"));
    }
    Ok(values)
}

/// The parts of the data that a task takes as target and as condition.
pub(super) fn sides(task: Task) -> (Part, Part) {
    match task.learns_y() {
        true => (Part::Y, Part::X),
        false => (Part::X, Part::Y),
    }
}

/// Counts values that are NaN or infinite, in chunks, because intermediate results are wider than
/// the values.
fn not_finite(t: &Tensor) -> i64 {
    let parts = t.reshape([-1]).split(disk::CHUNK as i64 / 8, 0);
    parts.iter().map(|p| p.isfinite().logical_not().sum(Kind::Int64).int64_value(&[])).sum()
}

/// Number of rows of a table.
pub(super) fn rows_of(table: &Columns) -> Result<i64> {
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
    if let Some(weights) = count(&table.weights).filter(|weights| *weights != n) {
        return Err(Error::config("data", format!("there are {weights} weights, for {n} rows")));
    }
    match count(&table.z0).or(table.z0_on_disk.as_ref().map(DiskRows::len)) {
        Some(z0) if z0 != n => Err(Error::config("data", format!("z0 has {z0} rows, x or y {n}"))),
        _ => Ok(n),
    }
}

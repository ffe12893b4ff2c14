//! Files of samples and predictions: arrays of an `.npz`, or columns of a `.csv` with the names of
//! the data.

use super::origin::Beside;
use std::path::Path;
use triflow::component::{Columns, Splits};
use triflow::data::Units;
use triflow::data::files::{array, write_rows};
use triflow::io::csv::{Cells, write_csv};
use triflow::io::{NamedArray, npz};
use triflow::measure::likelihood::RowLikelihoods;
use triflow::table::TableColumn;
use triflow::tch::{Device, Kind, Tensor};
use triflow::{Error, Lengths, Prediction, Result, Trained};

/// Checks that samples or predictions can be written to `out`, before any work is done.
pub(super) fn check_out(out: &Path) -> Result<()> {
    crate::out::check(out, &["npz", "csv"])
}

/// Checks that `out` can hold z_0.
pub(super) fn check_z0_out(out: &Path) -> Result<()> {
    if is(out, "npz") {
        return Ok(());
    }
    let message = format!("--save-z0 needs an .npz file, and --out is {}", out.display());
    Err(Error::config("", message).help("give --out a name that ends in .npz"))
}

/// Checks that `out` can hold the targets of a model, before any work is done: a table holds one
/// vector a row.
pub(super) fn check_shape(out: &Path, model: &Trained) -> Result<()> {
    let shape = &model.units().shapes.target;
    if !is(out, "csv") || shape.len() < 2 {
        return Ok(());
    }
    let what = if model.experiment().task().is_sequence() { "sequences" } else { "images" };
    let message = format!("--out {}: a table holds no {what} {shape:?}", out.display());
    Err(Error::config("", message).help("give --out a name that ends in .npz"))
}

fn is(out: &Path, ending: &str) -> bool {
    out.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending))
}

/// Samples with their conditions and the lengths of both.
pub(super) struct Samples {
    pub samples: Tensor,
    /// Labels or values of the conditions; `None` for unconditional samples.
    pub conditions: Option<Tensor>,
    pub lengths: Lengths,
    /// The z_0 of each sample, if it is to be written.
    pub z0: Option<Tensor>,
    /// Numbers of the condition file's rows that are used; empty if all are.
    pub kept: Vec<i64>,
}

/// Writes samples of a model to `out`.
pub(super) fn write_samples(out: &Path, drawn: Samples, model: &Trained) -> Result<()> {
    let Samples { samples, conditions, lengths, z0, kept } = drawn;
    let units = model.units();
    if is(out, "csv") {
        let plain = |t: Tensor| match t.kind() {
            Kind::Int64 | Kind::Double => t.to_device(Device::Cpu),
            _ => t.to_device(Device::Cpu).to_kind(Kind::Float),
        };
        let (names, learned) = (&units.names, Some(plain(samples)));
        let (from, classes) = (conditions.map(plain), names.classes.clone());
        let (of_learned, of_from) = (
            TableColumn::numbers(names.target_entries()),
            TableColumn::numbers(names.condition_entries()),
        );
        let (x, y, x_columns, y_columns) = match model.experiment().task().learns_y() {
            // The columns of one-hot rows are classes.
            true if units.target_is_label => {
                (from, learned, of_from, TableColumn::numbers(probabilities(units)))
            }
            true => (from, learned, of_from, of_learned),
            false => (learned, from, of_learned, of_from),
        };
        let train = Columns { x, y, x_columns, y_columns, classes, kept, ..Columns::default() };
        return write_rows(out, &Splits { train, ..Splits::default() });
    }
    let mut arrays = vec![array("samples", &samples)?];
    let name = if units.condition_is_label { "labels" } else { "conditions" };
    arrays.extend(conditions.map(|all| array(name, &all)).transpose()?);
    arrays.extend(lengths_of(lengths)?);
    arrays.extend(z0.map(|all| array("z0", &all)).transpose()?);
    arrays.extend(rows(&kept)?);
    npz::write_npz_with(out, &arrays, &units.texts())
}

/// Names of the columns of probabilities, one a class.
fn probabilities(units: &Units) -> Vec<String> {
    let classes = units.shapes.target.first().copied().unwrap_or(0);
    let names = &units.names.classes;
    let name = |j: i64| names.get(j as usize).cloned().unwrap_or_else(|| j.to_string());
    (0..classes).map(|j| format!("p_{}", name(j))).collect()
}

/// The arrays of the lengths of targets and conditions.
fn lengths_of(lengths: Lengths) -> Result<Vec<NamedArray>> {
    let both = [("lengths", lengths.target), ("condition_lengths", lengths.condition)];
    let both = both.into_iter().filter_map(|(name, all)| Some(array(name, &all?)));
    both.collect()
}

/// The array `rows` of the rows that are used; `None` if all are.
fn rows(kept: &[i64]) -> Result<Option<NamedArray>> {
    (!kept.is_empty()).then(|| array("rows", &Tensor::from_slice(kept))).transpose()
}

/// Writes predictions, with `spread` also their standard deviations over the draws, and for classes
/// the most likely one.
pub(super) fn write_predictions(
    out: &Path,
    drawn: &Prediction,
    spread: bool,
    (lengths, kept): (Option<Tensor>, &[i64]),
    units: &Units,
) -> Result<()> {
    let labels = units.target_is_label.then(|| drawn.mean.argmax(-1, false));
    if is(out, "csv") {
        return write_columns(out, drawn, spread, (labels.as_ref(), kept), units);
    }
    // Means are float64; the file has the precision of the model.
    let own = |values: &Tensor| values.to_kind(units.target.mean.kind());
    let mut arrays = vec![array("predictions", &own(&drawn.mean))?];
    if spread {
        arrays.push(array("std", &own(&drawn.deviation))?);
    }
    arrays.extend(labels.map(|all| array("labels", &all)).transpose()?);
    arrays.extend(lengths.map(|all| array("lengths", &all)).transpose()?);
    arrays.extend(rows(kept)?);
    npz::write_npz_with(out, &arrays, &units.texts())
}

fn write_columns(
    out: &Path,
    drawn: &Prediction,
    spread: bool,
    (labels, kept): (Option<&Tensor>, &[i64]),
    units: &Units,
) -> Result<()> {
    let [_, width] = drawn.mean.size()[..] else {
        return Err(Error::data(out, "a .csv holds one vector a row; write an .npz instead"));
    };
    let width = width as usize;
    let own = match labels {
        Some(_) => probabilities(units),
        None => units.names.target_entries(),
    };
    let column = |j: usize| match (own.get(j), width) {
        (Some(name), _) => name.clone(),
        (None, 1) => "y".to_owned(),
        (None, _) => format!("y{j}"),
    };
    let values = |of: &Tensor, j: usize| -> Result<Vec<f64>> {
        Ok(Vec::try_from(of.select(1, j as i64).to_device(Device::Cpu).to_kind(Kind::Double))?)
    };
    let mut heads = Vec::new();
    let mut numbers = Vec::new();
    let mut words = Vec::new();
    let kept: Vec<f64> = kept.iter().map(|row| *row as f64).collect();
    if !kept.is_empty() {
        heads.push("row".to_owned());
    }
    if let Some(labels) = labels {
        heads.push(units.names.target.first().map_or("label", |own| &own.name).to_owned());
        let labels = Vec::<i64>::try_from(labels.to_device(Device::Cpu))?;
        let name = |label: i64| units.names.classes.get(label as usize).cloned();
        words = labels.into_iter().map(|i| name(i).unwrap_or(i.to_string())).collect();
    }
    for j in 0..width {
        heads.push(column(j));
        numbers.push(values(&drawn.mean, j)?);
    }
    for j in (0..width).filter(|_| spread) {
        heads.push(format!("{}_std", column(j)));
        numbers.push(values(&drawn.deviation, j)?);
    }
    let rows = (!kept.is_empty()).then_some(Cells::Numbers(&kept));
    let first = labels.map(|_| Cells::Texts(&words));
    let numbers = numbers.iter().map(|all| Cells::Numbers(all));
    let cells: Vec<Cells<'_>> = rows.into_iter().chain(first).chain(numbers).collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    write_csv(out, Some(&heads), &cells)
}

/// Writes −ln p of rows, each beside its number and its `target` (normalised), in the data's own
/// units.
pub(super) fn write_likelihoods(
    out: &Path,
    rows: &RowLikelihoods,
    target: &Tensor,
    units: &Units,
) -> Result<()> {
    let target = units.target.undo(target);
    let further =
        [("nll_error", &rows.error), ("bound", &rows.bound), ("bound_error", &rows.bound_error)];
    let further = further.into_iter().filter_map(|(name, all)| Some((name, all.as_ref()?)));
    let all: Vec<(&str, &Vec<f64>)> = std::iter::once(("nll", &rows.nll)).chain(further).collect();
    if !is(out, "csv") {
        let own = |(name, all): &(&str, &Vec<f64>)| array(name, &Tensor::from_slice(all));
        let mut arrays = all.iter().map(own).collect::<Result<Vec<_>>>()?;
        arrays.push(array("targets", &target)?);
        return npz::write_npz_with(out, &arrays, &units.texts());
    }
    let numbers = |of: &Tensor| -> Result<Vec<f64>> {
        Ok(Vec::try_from(of.to_device(Device::Cpu).to_kind(Kind::Double).reshape([-1]))?)
    };
    let mut columns = vec![("row".to_owned(), (0..target.size()[0]).map(|i| i as f64).collect())];
    columns.extend(all.into_iter().map(|(name, values)| (name.to_owned(), values.clone())));
    // A table holds one vector a row; images stay in their own file.
    if let [_, width] = target.size()[..] {
        let names = units.names.target_entries();
        for j in 0..width {
            let name = names.get(j as usize).cloned();
            let name = name.unwrap_or_else(|| format!("x{j}"));
            columns.push((name, numbers(&target.select(1, j))?));
        }
    }
    let heads: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let cells: Vec<Cells<'_>> = columns.iter().map(|(_, all)| Cells::Numbers(all)).collect();
    write_csv(out, Some(&heads), &cells)
}

/// Writes states `[n, …z_shape]` at time `at`, or z_0 without one, with conditions and
/// lengths of the rows that they lead to.
pub(super) fn write_states(
    out: &Path,
    states: &Tensor,
    at: Option<f64>,
    beside: Beside,
    units: &Units,
) -> Result<()> {
    let mut arrays =
        vec![array("z", states)?, array("t", &Tensor::from_slice(&[at.unwrap_or(0.0)]))?];
    let name = if units.condition_is_label { "labels" } else { "conditions" };
    arrays.extend(beside.conditions.map(|all| array(name, &all)).transpose()?);
    arrays.extend(lengths_of(beside.lengths)?);
    arrays.extend(rows(&beside.kept)?);
    npz::write_npz_with(out, &arrays, &units.texts())
}

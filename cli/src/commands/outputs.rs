//! Files of samples and predictions: arrays of an `.npz`, or a table with the names of the data.

use super::origin::Beside;
use std::path::Path;
use triflow::data::files::array;
use triflow::data::{Predicted, Table, Units};
use triflow::io::{NamedArray, npz, table};
use triflow::measure::likelihood::RowLikelihoods;
use triflow::table::TableColumn;
use triflow::tch::Tensor;
use triflow::{Error, Lengths, Prediction, Result, Trained};

/// Checks that samples or predictions can be written to `out`, before any work is done.
pub(super) fn check_out(out: &Path) -> Result<()> {
    crate::out::check(out, &crate::args::sample_endings())
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
    if !table::is_table(out) || shape.len() < 2 {
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
    if table::is_table(out) {
        let learns_y = model.experiment().task().learns_y();
        return units.samples(&samples, conditions.as_ref(), learns_y)?.numbered(&kept).write(out);
    }
    let mut arrays = vec![array("samples", &samples)?];
    let name = if units.condition_is_label { "labels" } else { "conditions" };
    arrays.extend(conditions.map(|all| array(name, &all)).transpose()?);
    arrays.extend(lengths_of(lengths)?);
    arrays.extend(z0.map(|all| array("z0", &all)).transpose()?);
    arrays.extend(rows(&kept)?);
    npz::write_npz_with(out, &arrays, &units.texts())
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
    if table::is_table(out) {
        let deviation = spread.then_some(&drawn.deviation);
        let of = Predicted { mean: &drawn.mean, deviation, truth: None };
        return units.predictions(of)?.numbered(kept).write(out);
    }
    let labels = units.target_is_label.then(|| drawn.mean.argmax(-1, false));
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
    if !table::is_table(out) {
        let own = |(name, all): &(&str, &Vec<f64>)| array(name, &Tensor::from_slice(all));
        let mut arrays = all.iter().map(own).collect::<Result<Vec<_>>>()?;
        arrays.push(array("targets", &target)?);
        return npz::write_npz_with(out, &arrays, &units.texts());
    }
    // Targets of images stay in their own file.
    let beside = match target.dim() {
        2 => units.samples(&target, None, false)?,
        _ => Table::default(),
    };
    let mut table = Table::default();
    for (name, values) in all {
        table.push(TableColumn::number(name), values.clone());
    }
    let numbers: Vec<i64> = (0..target.size()[0]).collect();
    table.beside(beside).numbered(&numbers).write(out)
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

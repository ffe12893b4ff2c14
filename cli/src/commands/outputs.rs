//! Checks of the files of samples and predictions, and files of likelihoods: arrays of an `.npz`,
//! or a table with the names of the data.

use std::path::Path;
use triflow::data::files::array;
use triflow::data::{Table, Units};
use triflow::io::{npz, table};
use triflow::measure::likelihood::RowLikelihoods;
use triflow::table::TableColumn;
use triflow::tch::Tensor;
use triflow::{Error, Result};

/// Checks that samples or predictions can be written to `out`, before any work is done.
pub(super) fn check_out(out: &Path) -> Result<()> {
    crate::out::check(out, &crate::catalogue::sample_endings())
}

/// Checks that `out` can hold the arrays that `flag` asks for.
pub(super) fn check_arrays(out: &Path, flag: &str) -> Result<()> {
    if out.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
        return Ok(());
    }
    let message = format!("{flag} needs an .npz file, and --out is {}", out.display());
    Err(Error::config("", message).help("give --out a name that ends in .npz"))
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

//! Files of rows beside the experiment's own data: rows that a model is applied to, and rows that
//! are written.

use super::Table;
use crate::component::{Columns, DataContext, DataSource, Part, Splits};
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::io::{NamedArray, check_input, npz, safetensors, table, to_array};
use crate::registry::{Component, Mapping, Parameter as _, registry};
use crate::table::names_of;
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Kind, Tensor};

/// Name of the data source that reads `path`, by its ending.
///
/// # Errors
/// [`Error::Data`]: there is no such file, or no data source reads its format.
pub fn source_of(path: &Path) -> Result<&'static str> {
    check_input(path)?;
    Ok(registry().reader("data_source", path)?.info.name)
}

/// Reads parts of a file. The experiment's own data source reads it if it is for such files, so
/// that its names of arrays or columns apply; otherwise the source for the file's ending does, with
/// its defaults. `further` of the experiment says how the file is written where that is not as the
/// experiment's own data are.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read or has unexpected content. [`Error::Config`]: it lacks
/// a part, or an array or column that `data` names.
pub fn read_columns(experiment: &Experiment, path: &Path, parts: &[Part]) -> Result<Columns> {
    let table = reader(experiment, path).and_then(|source| source.read(path, parts));
    table.map_err(|e| e.under("data"))
}

/// Reads one side of a file as [`read_columns`] does, numbers of which some are missing and NaN, in
/// the file or because it lacks their column.
///
/// # Errors
/// Those of [`read_columns`].
pub fn read_incomplete(experiment: &Experiment, path: &Path, part: Part) -> Result<Columns> {
    let table = reader(experiment, path).and_then(|source| source.read_incomplete(path, part));
    table.map_err(|e| e.under("data"))
}

/// Reads every column of a file, as [`DataSource::read_whole`] does, by the data source that
/// [`read_columns`] takes.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read or has unexpected content.
pub fn read_whole(experiment: &Experiment, path: &Path, texts: bool) -> Result<Option<Columns>> {
    let table = reader(experiment, path).and_then(|source| source.read_whole(path, texts));
    table.map_err(|e| e.under("data"))
}

/// Place of a row of a file, as [`DataSource::place_in`] names it.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read.
pub fn place(experiment: &Experiment, path: &Path, row: i64, incomplete: bool) -> Result<String> {
    reader(experiment, path)?.place_in(path, row, incomplete)
}

/// The data source that reads a file beside the experiment's own data.
pub(super) fn reader(experiment: &Experiment, path: &Path) -> Result<Box<dyn DataSource>> {
    check_input(path)?;
    let own = registry().find("data_source", experiment.data.name())?;
    let source = match own.info.reads(path) {
        true => experiment.data.with_keys(&experiment.further.0)?,
        false => {
            let mut other = Mapping::new();
            other.insert("type".into(), source_of(path)?.into());
            other.insert("path".into(), path.to_string_lossy().as_ref().into());
            Component::<dyn DataSource>::read(&other.into())?.with_keys(&experiment.further.0)?
        }
    };
    let context = DataContext::new(experiment.seed(), "");
    source.build(&context)
}

/// Writes rows in the format of the path's ending, whole or not at all.
///
/// An `.npz` or `.safetensors` has arrays `x`, `y`, `x_val`, … and lists of texts: `classes` by
/// label, `x_columns` and `y_columns` (in a `.safetensors` as JSON in its metadata); cells of a
/// table are numbers there. A table is [`Table::of`]. If rows of a file were left out, `rows` (in a
/// table `row`) has the numbers, from 0, of those that were kept.
///
/// # Errors
/// [`Error::Data`]: the ending is unknown, or its format cannot hold these rows. [`Error::Io`]: the
/// file cannot be written.
pub fn write_rows(path: &Path, splits: &Splits) -> Result<()> {
    if table::is_table(path) {
        return write_one(path, splits);
    }
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "npz" => npz::write_npz_with(path, &arrays(splits)?, &texts(&splits.train)),
        "safetensors" => {
            let text =
                |(name, all): (&str, Vec<String>)| (name.to_owned(), safetensors::text_of(&all));
            let texts: BTreeMap<_, _> = texts(&splits.train).into_iter().map(text).collect();
            safetensors::write_safetensors(path, &arrays(splits)?, &texts)
        }
        _ => {
            let known = format!("known endings: .{}", endings().join(", ."));
            Err(Error::data(path, format!("cannot be written; {known}")))
        }
    }
}

/// Endings of the names of files that [`write_rows`] writes, without the first dot.
pub fn endings() -> Vec<&'static str> {
    [&["npz", "safetensors"], table::ENDINGS].concat()
}

/// Writes a table, which holds one set of rows.
fn write_one(path: &Path, splits: &Splits) -> Result<()> {
    let train = &splits.train;
    let refused = [
        (splits.val.is_some() || splits.test.is_some(), "one set of rows"),
        (train.z0.is_some(), "no z_0 of its rows"),
        (train.weights.is_some(), "no weights of its rows"),
        (train.x_lengths.is_some() || train.y_lengths.is_some(), "no sequences"),
    ];
    if let Some((_, what)) = refused.iter().find(|(is, _)| *is) {
        return Err(Error::data(path, format!("a table holds {what}; write an .npz instead")));
    }
    Table::of(train)?.write(path)
}

/// The lists of names of a table, each under its name in a file.
fn texts(table: &Columns) -> Vec<(&'static str, Vec<String>)> {
    let all = [
        ("classes", table.classes.clone()),
        ("x_columns", names_of(&table.x_columns)),
        ("y_columns", names_of(&table.y_columns)),
    ];
    all.into_iter().filter(|(_, names)| !names.is_empty()).collect()
}

fn arrays(splits: &Splits) -> Result<Vec<NamedArray>> {
    let sets =
        [("", Some(&splits.train)), ("_val", splits.val.as_ref()), ("_test", splits.test.as_ref())];
    let mut all = Vec::new();
    for (suffix, table) in sets {
        let Some(table) = table else { continue };
        for (part, values) in [
            ("x", &table.x),
            ("y", &table.y),
            ("z0", &table.z0),
            ("weights", &table.weights),
            ("x_lengths", &table.x_lengths),
            ("y_lengths", &table.y_lengths),
        ] {
            if let Some(values) = values {
                all.push(array(&format!("{part}{suffix}"), values)?);
            }
        }
        if !table.kept.is_empty() {
            all.push(array(&format!("rows{suffix}"), &Tensor::from_slice(&table.kept))?);
        }
    }
    Ok(all)
}

/// Copies a tensor into an array of a file: float64, int64 and uint8 stay, every other type becomes
/// float32.
///
/// # Errors
/// [`Error::Runtime`]: the tensor cannot be copied from its device.
pub fn array(name: &str, tensor: &Tensor) -> Result<NamedArray> {
    match tensor.kind() {
        Kind::Double | Kind::Int64 | Kind::Uint8 => to_array(name, tensor),
        _ => to_array(name, &tensor.to_kind(Kind::Float)),
    }
}

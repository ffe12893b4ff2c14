//! Files some of whose cells are known, which lack others, whole columns among them.

use super::choose::{number_of, selectable};
use super::gaps::Gaps;
use super::keys::{Column, ColumnList};
use super::rows::Reading;
use super::{Source, Table};
use std::path::Path as FsPath;
use triflow::io::table::TableFile;
use triflow::log;
use triflow::prelude::*;

/// Reads one side of a file. Columns that it lacks hold no value, and lines of separators alone are
/// rows.
///
/// # Errors
/// The file cannot be read, or has none of the columns.
pub(super) fn read(source: &Source, path: &FsPath, part: Part) -> Result<Columns> {
    let file = source.open(path, true)?;
    // A single column of numbers may be empty in the first rows: it holds no class labels.
    let spec = Table { labels: Some(false), ..present(&source.spec, &file) };
    let named = named(&source.spec, part);
    let lacks = |column: &&Column| number_of(&file, column).is_err();
    let absent: Vec<String> = named.iter().filter(lacks).map(name_of).collect();
    if !absent.is_empty() {
        let (known, own) = (absent.join(", "), selectable(&file));
        let used =
            |i: &usize| named.iter().any(|name| number_of(&file, name).is_ok_and(|n| n == *i));
        if absent.len() == named.len() {
            let message = format!("has none of the model's columns; they are {known}");
            return Err(Error::data(path, message));
        }
        let others: Vec<String> =
            own.iter().filter(|i| !used(i)).map(|i| file.called(*i)).collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!("; not used are its {}", others.join(", ")),
        };
        log::warn!("{}: no cell is known of {known}, which it lacks{others}", path.display());
    }
    let selection = source.select(&file, &spec, &[part])?;
    let reading = Reading { source, spec: &spec, file: &file, is_training: false };
    let (mut columns, _) = reading.columns(selection, Gaps::KeepAll)?;
    let (values, names) = match part {
        Part::X => (&mut columns.x, &mut columns.x_columns),
        Part::Y => (&mut columns.y, &mut columns.y_columns),
    };
    if let Some(there) = values.take() {
        let gap = Tensor::full([there.size()[0], 1], f64::NAN, (there.kind(), there.device()));
        let all = std::iter::once(there).chain(absent.iter().map(|_| gap.shallow_clone()));
        *values = Some(Tensor::cat(&all.collect::<Vec<_>>(), 1));
        names.extend(absent.into_iter().map(TableColumn::number));
    }
    Ok(columns)
}

/// The keys without the names of columns that a file lacks.
pub(super) fn present(spec: &Table, file: &TableFile) -> Table {
    let there = |part| {
        let named = named(spec, part).iter();
        ColumnList(named.filter(|column| number_of(file, column).is_ok()).cloned().collect())
    };
    Table { x: there(Part::X), y: there(Part::Y), ..spec.clone() }
}

fn name_of(column: &Column) -> String {
    match column {
        Column::Name(name) => name.clone(),
        Column::Number(number) => number.to_string(),
    }
}

fn named(spec: &Table, part: Part) -> &[Column] {
    match part {
        Part::X => &spec.x.0,
        Part::Y => &spec.y.0,
    }
}

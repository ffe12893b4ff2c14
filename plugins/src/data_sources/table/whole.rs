//! Every column of a file, as it is.

use super::Source;
use super::choose::Selection;
use super::incomplete;
use super::rows::wanted_of;
use std::path::Path as FsPath;
use triflow::io::table::{Cells, Column, TableFile, TypeWish, Typed, Wanted, infer};
use triflow::log;
use triflow::prelude::*;

/// Whole numbers below this one are exact in float64.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads every column and row of a file, those that are not used too. With `texts`, cells of a text
/// file keep their texts; else they have the types by which the source reads them, or that they
/// suggest.
///
/// # Errors
/// The file cannot be read, or a cell does not have the type of its column.
pub(super) fn read_whole(source: &Source, path: &FsPath, texts: bool) -> Result<Columns> {
    let mut file = source.open(path, true)?;
    let by_type = file.is_text() && !texts;
    if !by_type {
        // A text that may stand for a missing value is copied as any other.
        file = file.without_markers();
    }
    let spec = incomplete::present(&source.spec, &file);
    let of = |part: Part| source.select(&file, &spec, &[part]).unwrap_or_default();
    let selection = Selection { x: of(Part::X).x, y: of(Part::Y).y, ..Selection::default() };
    let columns = columns(source, &file, &selection, by_type)?;
    let mut typed = Vec::with_capacity(columns.len());
    for (place, column) in columns.into_iter().enumerate().filter_map(|(i, c)| Some((i, c?))) {
        let wish = match &column.cells {
            Cells::Numbers { .. } => Some(TypeWish::Number),
            Cells::Times { .. } => None,
            Cells::Texts { .. } | Cells::Many => Some(TypeWish::Category { order: Vec::new() }),
        };
        let wrong = |what| Error::data(path, format!("{} {what}", file.called(place)));
        let Typed { column, values } = infer(column, wish.as_ref()).map_err(wrong)?;
        let name = name_of(&file, &selection, place);
        typed.push((TableColumn { name, ..column }, Tensor::from_slice(&values)));
    }
    let (x_columns, cells): (Vec<TableColumn>, Vec<Tensor>) = typed.into_iter().unzip();
    Ok(Columns { x: Some(Tensor::stack(&cells, 1)), x_columns, ..Columns::default() })
}

/// The columns of a file; `None` for those of a type that is not read.
fn columns(
    source: &Source,
    file: &TableFile,
    selection: &Selection,
    by_type: bool,
) -> Result<Vec<Option<Column>>> {
    let wanted = |i: usize| match by_type {
        _ if file.is_unreadable(i) => Wanted::Nothing,
        true if selection.x.contains(&i) || selection.y.contains(&i) => {
            wanted_of(&source.options(file, &source.spec, i))
        }
        true => Wanted::Any,
        false => Wanted::Cells,
    };
    let mut wanted: Vec<Wanted> = (0..file.width()).map(wanted).collect();
    let nothing = |i: &usize| wanted[*i] == Wanted::Nothing;
    let unreadable: Vec<String> =
        (0..file.width()).filter(nothing).map(|i| file.called(i)).collect();
    if !unreadable.is_empty() {
        log::warn!(
            "{}: lists, maps and records are left out: {}",
            file.path().display(),
            unreadable.join(", ")
        );
    }
    let mut columns = file.read(&wanted)?.columns;
    // Texts that are too many to be told apart, and numbers that float64 does not hold, are read
    // again as texts.
    for (column, wanted) in columns.iter().zip(&mut wanted) {
        let is_lost = column.as_ref().is_some_and(|column| match &column.cells {
            Cells::Many => true,
            Cells::Numbers { values, .. } if *wanted == Wanted::Any => {
                values.iter().any(|value| value.abs() >= EXACT)
            }
            _ => false,
        });
        *wanted = if is_lost && by_type { Wanted::Cells } else { Wanted::Nothing };
    }
    if wanted.contains(&Wanted::Cells) {
        let again = file.read(&wanted)?.columns;
        columns.iter_mut().zip(again).for_each(|(own, again)| *own = again.or(own.take()));
    }
    Ok(columns)
}

/// Name of a column: that in the file, or without names that of x or y, or the column's number.
fn name_of(file: &TableFile, selection: &Selection, place: usize) -> String {
    if file.names().is_some() {
        return file.name(place).to_owned();
    }
    for (part, places) in [(Part::X, &selection.x), (Part::Y, &selection.y)] {
        match places.iter().position(|own| *own == place) {
            Some(_) if places.len() == 1 => return part.to_string(),
            Some(i) => return format!("{part}{i}"),
            None => {}
        }
    }
    place.to_string()
}

//! Division of the rows of a table into sets: by a column, or by a file for each.

use super::ColumnOptions;
use super::rows::wanted_of;
use std::path::Path as FsPath;
use triflow::io::table::{Cells, Column, TableFile, Wanted};
use triflow::prelude::*;

/// Cells of the column by which rows are divided, of the rows at `kept`, or of all if it is empty;
/// `options` say how it is read.
///
/// # Errors
/// The column cannot be read.
pub(super) fn split_column(
    file: &TableFile,
    column: usize,
    options: &ColumnOptions,
    kept: &[i64],
) -> Result<SplitColumn> {
    let mut wanted = vec![Wanted::Nothing; file.width()];
    wanted[column] = wanted_of(options);
    let column = file.read(&wanted)?.columns.swap_remove(column);
    let Column { name, cells, .. } = column.ok_or_else(|| Error::runtime("no such column"))?;
    let all = match cells {
        Cells::Numbers { values, .. } => SplitColumn::of_numbers(&name, values),
        Cells::Times { values, format, .. } => {
            let column = TableColumn::new(name, CellType::Time { format });
            SplitColumn { column, cells: values }
        }
        Cells::Texts { codes, texts } => {
            let text = |code: &u32| texts.get(*code as usize).map_or("", String::as_str);
            SplitColumn::of_texts(&name, &codes.iter().map(text).collect::<Vec<_>>())
        }
        Cells::Many => {
            let message = format!("column `{name}` has too many different texts to divide rows by");
            return Err(Error::data(file.path(), message));
        }
    };
    Ok(if kept.is_empty() { all } else { all.rows(kept) })
}

/// Gives the categories of another set the codes of the training rows.
///
/// # Errors
/// A column is missing, or a category is none of the training rows'.
pub(super) fn align(
    path: &FsPath,
    train: &Columns,
    columns: &mut Columns,
    set: &str,
) -> Result<()> {
    for (part, known) in [(Part::X, &train.x_columns), (Part::Y, &train.y_columns)] {
        let own = match part {
            Part::X => columns.x_columns.clone(),
            Part::Y => columns.y_columns.clone(),
        };
        columns.align_columns(part, known)?;
        let values = match part {
            Part::X => &columns.x,
            Part::Y => &columns.y,
        };
        let Some(values) = values.as_ref().filter(|values| values.dim() == 2) else { continue };
        for (i, column) in known.iter().enumerate().filter(|(_, c)| c.names().is_some()) {
            if values.select(1, i as i64).lt(0.0).any().int64_value(&[]) == 0 {
                continue;
            }
            let names = column.names().unwrap_or_default();
            let own = own.iter().find(|own| own.name == column.name);
            let new = own.and_then(TableColumn::names).unwrap_or_default();
            let new = new.iter().find(|name| !names.contains(name)).cloned().unwrap_or_default();
            let message = format!(
                "column `{}` of the {set} set has `{new}`, which no training row has",
                column.name
            );
            return Err(Error::data(path, message));
        }
    }
    Ok(())
}

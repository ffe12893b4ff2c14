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

/// Gives the categories of another set the codes of the training rows. `place` names a row of its
/// file.
///
/// # Errors
/// A column is missing, or a category is none of the training rows'.
pub(super) fn align(
    path: &FsPath,
    train: &Columns,
    columns: &mut Columns,
    (set, place): (&str, &dyn Fn(i64) -> Result<String>),
) -> Result<()> {
    for (part, known) in [(Part::X, &train.x_columns), (Part::Y, &train.y_columns)] {
        let (own, read) = match part {
            Part::X => (columns.x_columns.clone(), columns.x.as_ref().map(Tensor::shallow_clone)),
            Part::Y => (columns.y_columns.clone(), columns.y.as_ref().map(Tensor::shallow_clone)),
        };
        columns.align_columns(part, known)?;
        let values = match part {
            Part::X => &columns.x,
            Part::Y => &columns.y,
        };
        let Some(values) = values.as_ref().filter(|values| values.dim() == 2) else { continue };
        for (i, column) in known.iter().enumerate().filter(|(_, c)| c.names().is_some()) {
            let new = values.select(1, i as i64).lt(0.0).nonzero();
            if new.numel() == 0 {
                continue;
            }
            let row = new.int64_value(&[0, 0]);
            let name = || {
                let at = own.iter().position(|own| own.name == column.name)?;
                let code = read.as_ref()?.double_value(&[row, at as i64]);
                own[at].names()?.get(code as usize).cloned()
            };
            let name = name().unwrap_or_default();
            let row = columns.kept.get(row as usize).copied().unwrap_or(row);
            let message = format!(
                "{}: column `{}` of the {set} set has `{name}`, which no training row has",
                place(row)?,
                column.name
            );
            return Err(Error::data(path, message));
        }
    }
    Ok(())
}

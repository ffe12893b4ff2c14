//! Properties of the cells of a column that a user should know of.

use super::ColumnOptions;
use super::choose::column_text;
use triflow::io::table::{Cells, Column, TableFile, doubt_of};
use triflow::prelude::*;

/// 2⁵³, above which float64 does not hold every whole number.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reason to doubt the type of a column, with the line of an example; `None` where there is none.
///
/// # Errors
/// The file cannot be read.
pub(super) fn doubt(
    file: &TableFile,
    place: usize,
    column: &Column,
    options: &ColumnOptions,
) -> Result<Option<String>> {
    let key = column_text(file, place);
    match &column.cells {
        Cells::Texts { .. } if options.kind.is_none() => {
            let Some(doubt) = doubt_of(column) else { return Ok(None) };
            Ok(Some(format!("its cells are texts: {}", doubt.text(&file.place(doubt.row)?))))
        }
        Cells::Times { format, certain: false, .. } if options.format.is_none() => {
            Ok(Some(format!(
                "each date may be month and day, or day and month: it is read as {format}; say \
                 which with data.columns={{{key}: {{format: …}}}}"
            )))
        }
        Cells::Numbers { values, decimals: Some(0) } => {
            let Some(row) = values.iter().position(|value| value.abs() > MAX_EXACT) else {
                return Ok(None);
            };
            Ok(Some(format!(
                "{} holds a whole number of more digits than fit a number, and is read as {}; \
                 leave the column out, or make it a category (data.columns.{key}=ignore, category)",
                file.place(row)?,
                values[row]
            )))
        }
        _ => Ok(None),
    }
}

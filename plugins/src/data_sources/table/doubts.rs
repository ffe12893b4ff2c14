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
                let is_free = options.kind.is_none() && are_dates(values);
                return Ok(is_free.then(|| {
                    format!(
                        "its whole numbers may be dates, as {}; read them as such with \
                         data.columns={{{key}: {{type: time, format: '%Y%m%d'}}}}",
                        values.iter().find(|value| !value.is_nan()).unwrap_or(&f64::NAN)
                    )
                }));
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

/// True if the numbers, of which several are different, are dates such as 20210305.
fn are_dates(values: &[f64]) -> bool {
    let is_date = |value: f64| {
        let number = value as i64;
        let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
        let days = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (1900..2100).contains(&year) && (1..=12).contains(&month) && (1..=days).contains(&day)
    };
    let mut there = values.iter().copied().filter(|value| !value.is_nan());
    let first = there.next();
    let mut differ = false;
    let all = there.all(|value| {
        differ |= Some(value) != first;
        is_date(value)
    });
    all && differ && first.is_some_and(is_date)
}

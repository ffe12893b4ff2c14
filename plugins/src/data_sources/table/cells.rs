//! Facts about the cells of a column.

use triflow::io::table::{Cells, Column, MISSING};

/// Fewest rows in which a column that counts them is taken for their numbers.
const COUNTED: usize = 10;

/// True if a text is a number, with a decimal point or comma.
pub(super) fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok() || cell.replacen(',', ".", 1).parse::<f64>().is_ok()
}

/// True if no cell holds a value.
pub(super) fn is_empty(column: &Column) -> bool {
    match &column.cells {
        Cells::Numbers { values, .. } | Cells::Times { values, .. } => {
            values.len() == column.missing
        }
        Cells::Texts { texts, .. } => texts.is_empty(),
        Cells::Many => false,
    }
}

/// True if every cell holds the same value.
pub(super) fn is_constant(column: &Column) -> bool {
    match &column.cells {
        Cells::Numbers { values, .. } | Cells::Times { values, .. } => {
            let mut present = values.iter().filter(|value| !value.is_nan());
            let first = present.next();
            let is_one = column.missing == 0 && present.all(|value| Some(value) == first);
            is_one && first.is_none_or(|value| is_exact(*value))
        }
        Cells::Texts { codes, texts } => texts.len() == 1 && !codes.contains(&MISSING),
        Cells::Many => false,
    }
}

/// True if the cells count the rows.
pub(super) fn counts_rows(column: &Column) -> bool {
    let Cells::Numbers { values, decimals: Some(0) } = &column.cells else { return false };
    let counts = |(i, value): (usize, &f64)| *value == values[0] + i as f64;
    values.len() >= COUNTED && is_exact(values[0]) && values.iter().enumerate().all(counts)
}

/// True if the next whole number is another one: beyond 2⁵³, numbers that differ in a file may be
/// read alike.
fn is_exact(value: f64) -> bool {
    value.abs() < 9_007_199_254_740_992.0
}

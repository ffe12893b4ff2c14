//! Tables of files whose gaps are filled in.

use super::Table;
use crate::error::Result;
use crate::io::table::texts;
use crate::table::{CellType, TableColumn};
use std::collections::HashMap;

/// A column and its cells.
type Cells = (TableColumn, Vec<f64>);

impl Table {
    /// A file's table with cells of `drawn` in place of those that are missing, by the names of
    /// columns; behind them, the columns of `read` that it lacks. `read` are the columns of the
    /// file as its data source reads them for the model, NaN where a cell is missing: a category
    /// that the model does not know is not missing. Texts of known cells stay as they are, unless
    /// they are numbers with decimal commas or signs between thousands: such a column is written
    /// as numbers.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): a time has no format.
    pub fn filled(mut self, read: &Table, drawn: &Table) -> Result<Self> {
        for (column, values) in drawn.columns.iter().zip(&drawn.cells) {
            let place = |of: &Table| of.columns.iter().position(|own| own.name == column.name);
            let (Some(own), Some(at)) = (place(read), place(&self)) else {
                if place(read).is_some() {
                    self.push(column.clone(), values.clone());
                }
                continue;
            };
            let read = (read.columns[own].clone(), read.cells[own].clone());
            if !read.1.iter().any(|cell| cell.is_nan()) {
                continue;
            }
            let file = (self.columns[at].clone(), std::mem::take(&mut self.cells[at]));
            let drawn = (column, &values[..]);
            let filled = match replaced(file, &read, drawn)? {
                None => replaced(read.clone(), &read, drawn)?,
                filled => filled,
            };
            (self.columns[at], self.cells[at]) =
                filled.unwrap_or_else(|| (column.clone(), values.clone()));
        }
        Ok(self)
    }
}

/// The cells with drawn ones in place of those that are missing in `read`; `None` if these cannot
/// be written as those.
fn replaced(
    (mut column, mut cells): Cells,
    read: &Cells,
    (new, values): (&TableColumn, &[f64]),
) -> Result<Option<Cells>> {
    let gaps = || read.1.iter().enumerate().filter(|(_, cell)| cell.is_nan()).map(|(row, _)| row);
    match (&mut column.kind, &new.kind) {
        (CellType::Number { decimals }, CellType::Number { decimals: most }) => {
            *decimals = decimals.zip(*most).map(|(own, new)| own.max(new));
            gaps().for_each(|row| cells[row] = values[row]);
        }
        (CellType::Time { .. }, CellType::Time { .. }) => {
            gaps().for_each(|row| cells[row] = values[row]);
        }
        // Categories whose names are numbers, in a file that has numbers.
        (CellType::Number { .. }, _) if new.names().is_some() => {
            for (row, text) in gaps().zip(texts(new, gaps().map(|row| values[row]))?) {
                let Ok(number) = text.parse() else { return Ok(None) };
                cells[row] = number;
            }
        }
        (CellType::Category { .. } | CellType::Flag { .. }, _) => {
            let mut names = column.names().unwrap_or_default().to_vec();
            if !are_spelled_alike(&names, &cells, read, new) {
                return Ok(None);
            }
            let mut codes: HashMap<String, usize> = names.iter().cloned().zip(0..).collect();
            for (row, text) in gaps().zip(texts(new, gaps().map(|row| values[row]))?) {
                let code = *codes.entry(text).or_insert_with_key(|text| {
                    names.push(text.clone());
                    names.len() - 1
                });
                cells[row] = code as f64;
            }
            column.kind = CellType::Category { names, ordered: false };
        }
        _ => return Ok(None),
    }
    Ok(Some((column, cells)))
}

/// True if the texts of a file, `names` by code, may stand beside those that are written of the
/// column `new`; `read` is what the texts mean.
fn are_spelled_alike(names: &[String], codes: &[f64], read: &Cells, new: &TableColumn) -> bool {
    match (&read.0.kind, &new.kind) {
        (_, CellType::Number { .. }) => {
            // Points may also stand between thousands.
            let number = |code: f64| names.get(code as usize).and_then(|text| text.parse().ok());
            let mut known = codes.iter().zip(&read.1).filter(|(_, value)| !value.is_nan());
            known.all(|(code, value)| number(*code) == Some(*value))
        }
        (CellType::Time { format }, CellType::Time { format: own }) => format == own,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn column(column: TableColumn, cells: &[f64]) -> Table {
        let mut table = Table::default();
        table.push(column, cells.to_vec());
        table
    }

    /// The table with one column of a text file.
    fn of_texts(cells: &[&str]) -> Table {
        let names = cells.iter().filter(|cell| !cell.is_empty()).map(|cell| (*cell).to_owned());
        let names: Vec<String> = names.collect();
        let code =
            |cell: &&str| names.iter().position(|name| name == cell).map_or(NAN, |i| i as f64);
        let codes: Vec<f64> = cells.iter().map(code).collect();
        column(TableColumn::category("a", names.clone()), &codes)
    }

    fn number(decimals: u8) -> TableColumn {
        TableColumn::new("a", CellType::Number { decimals: Some(decimals) })
    }

    fn category(names: &[&str]) -> TableColumn {
        TableColumn::category("a", names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn written(table: &Table) -> Vec<String> {
        texts(&table.columns[0], table.cells[0].iter().copied()).unwrap()
    }

    #[test]
    fn known_cells_keep_their_texts_beside_drawn_ones() {
        let read = column(number(2), &[1.5, NAN, 7.0, 2.25]);
        let drawn = column(number(1), &[1.5, 3.0, 7.0, 2.3]);
        let full = of_texts(&["1.50", "NA", "007", "2.25"]).filled(&read, &drawn).unwrap();
        assert_eq!(written(&full), ["1.50", "3.0", "007", "2.25"]);
        // A text that no row of the training had is not missing.
        let read = column(category(&["blue", "pink", "red"]), &[2.0, 1.0, NAN, NAN]);
        let drawn = column(category(&["blue", "red"]), &[1.0, 0.0, 0.0, 1.0]);
        let full = of_texts(&["red", "pink", "", "?"]).filled(&read, &drawn).unwrap();
        assert_eq!(written(&full), ["red", "pink", "blue", "red"]);
        let time = |format: &str| TableColumn::new("a", CellType::Time { format: format.into() });
        let (read, drawn) = (time("%d.%m.%Y"), time("%d.%m.%Y"));
        let (read, drawn) = (column(read, &[0.0, NAN]), column(drawn, &[0.0, 86_400.0]));
        let full = of_texts(&["1.1.1970", ""]).filled(&read, &drawn).unwrap();
        assert_eq!(written(&full), ["1.1.1970", "02.01.1970"]);
    }

    #[test]
    fn numbers_with_signs_for_thousands_or_decimal_commas_are_written_as_all_others() {
        let drawn = column(number(1), &[1000.5, 3.5, 2.0]);
        for texts in [["1,000.5", "", "2"], ["1000,5", "", "2"]] {
            let read = column(number(1), &[1000.5, NAN, 2.0]);
            let full = of_texts(&texts).filled(&read, &drawn).unwrap();
            assert_eq!(written(&full), ["1000.5", "3.5", "2.0"]);
        }
        // A point between thousands.
        let read = column(number(0), &[1234.0, NAN, 2.0]);
        let drawn = column(number(0), &[1234.0, 3.0, 2.0]);
        let full = of_texts(&["1.234", "", "2"]).filled(&read, &drawn).unwrap();
        assert_eq!(written(&full), ["1234", "3", "2"]);
    }

    #[test]
    fn cells_with_types_keep_their_type_and_all_digits() {
        let read = column(number(3), &[0.125, NAN]);
        let drawn = column(number(1), &[0.1, 0.5]);
        let full = read.clone().filled(&read, &drawn).unwrap();
        assert_eq!(full, column(number(3), &[0.125, 0.5]));
        // Codes that are categories to the model.
        let read = column(category(&["10115", "80331"]), &[1.0, NAN, 0.0]);
        let drawn = column(category(&["10115", "20095", "80331"]), &[2.0, 1.0, 0.0]);
        let file = column(number(0), &[80331.0, NAN, 10115.0]);
        let full = file.filled(&read, &drawn).unwrap();
        assert_eq!(full, column(number(0), &[80331.0, 20095.0, 10115.0]));
    }

    #[test]
    fn other_columns_stay() {
        let mut file = of_texts(&["x", "", "y"]);
        file.push(TableColumn::number("b"), vec![1.0, NAN, 3.0]);
        let read = column(TableColumn::number("b"), &[1.0, NAN, 3.0]);
        let drawn = column(TableColumn::number("b"), &[1.0, 2.0, 3.0]);
        let full = file.clone().filled(&read, &drawn).unwrap();
        assert_eq!(written(&full), written(&file));
        assert_eq!(full.cells[1], [1.0, 2.0, 3.0]);
    }
}

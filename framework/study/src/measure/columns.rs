//! Errors of predictions of a table, column by column.

use super::Scale;
use crate::data::Units;
use crate::error::Result;
use crate::metrics::mean_and_deviation;
use crate::table::{CellType, TableColumn};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

/// Units of errors over all columns of a table with categories, dates or gaps: one unit for
/// numbers and one-hot entries.
const STANDARDISED: Scale =
    Scale { standardised: true, text: "standardised (columns of several types)" };

/// Errors of the columns of predicted tables.
#[derive(Debug)]
pub(super) struct ColumnErrors {
    columns: Vec<TableColumn>,
    /// Figures of each column by name, one a draw.
    figures: Vec<Vec<(&'static str, Vec<f64>)>>,
}

impl ColumnErrors {
    /// No figures yet; `None` for targets that are labels, plain numbers or one column of numbers,
    /// which the metrics are enough for.
    pub fn of(units: &Units) -> Option<Self> {
        let columns = &units.names.target;
        let is_table = !units.target_is_label && units.target_layout().is_some();
        let figures = columns.iter().map(|_| Vec::new()).collect();
        let several = is_table && (columns.len() > 1 || is_mixed(columns));
        several.then(|| Self { columns: columns.clone(), figures })
    }

    /// Units of errors over all columns; `None`: the data's own.
    pub fn scale(&self) -> Option<Scale> {
        is_mixed(&self.columns).then_some(STANDARDISED)
    }

    /// Adds a draw of predictions `[n, entries]` beside the truth, both in the data's own units.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn add(&mut self, units: &Units, truth: &Tensor, predicted: &Tensor) -> Result<()> {
        let (cells, guesses) = (units.table(truth), units.table(predicted));
        let mut entry = 0;
        for ((column, figures), i) in self.columns.iter().zip(&mut self.figures).zip(0..) {
            let new = match column.names() {
                Some(_) => of_categories(&numbers(&cells, i)?, &numbers(&guesses, i)?),
                // The mean, which is no number of the data, and is there if the cell seems missing.
                None => of_numbers(&numbers(&cells, i)?, &numbers(predicted, entry)?),
            };
            for (name, value) in new {
                match figures.iter_mut().find(|(own, _)| *own == name) {
                    Some((_, all)) => all.push(value),
                    None => figures.push((name, vec![value])),
                }
            }
            entry += column.width();
        }
        Ok(())
    }

    /// Means over the draws, by column.
    pub fn to_json(&self) -> Value {
        let all = self.columns.iter().zip(&self.figures).map(|(column, figures)| {
            let means = figures
                .iter()
                .map(|(name, all)| ((*name).to_owned(), json!(mean_and_deviation(all).0)));
            (column.name.clone(), Value::Object(means.collect()))
        });
        Value::Object(all.collect::<Map<_, _>>())
    }
}

/// True if the entries of rows of these columns have no unit in common: where there are categories
/// or gaps, or times beside numbers.
fn is_mixed(columns: &[TableColumn]) -> bool {
    let is_time = |column: &TableColumn| matches!(column.kind, CellType::Time { .. });
    let times = columns.iter().filter(|column| is_time(column)).count();
    columns.iter().any(|column| column.missing || column.names().is_some())
        || (times > 0 && times < columns.len())
}

/// Share of the rows whose most likely category, missing among them, is the true one.
fn of_categories(truth: &[f64], predicted: &[f64]) -> Vec<(&'static str, f64)> {
    if truth.is_empty() {
        return Vec::new();
    }
    let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
    let right = truth.iter().zip(predicted).filter(|pair| same(*pair)).count();
    let accuracy = right as f64 / truth.len() as f64;
    vec![("accuracy", accuracy), ("error_rate", 1.0 - accuracy)]
}

/// Errors of the rows whose true number is there, in its own units; no share of the variance
/// without one.
fn of_numbers(truth: &[f64], predicted: &[f64]) -> Vec<(&'static str, f64)> {
    let known: Vec<_> = truth.iter().zip(predicted).filter(|(own, _)| !own.is_nan()).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let n = known.len() as f64;
    let mean = known.iter().map(|(own, _)| **own).sum::<f64>() / n;
    let squares = known.iter().map(|(own, guess)| (*own - *guess).powi(2)).sum::<f64>();
    let absolute = known.iter().map(|(own, guess)| (*own - *guess).abs()).sum::<f64>();
    let variance = known.iter().map(|(own, _)| (**own - mean).powi(2)).sum::<f64>();
    let mut figures = vec![("rmse", (squares / n).sqrt()), ("mae", absolute / n)];
    if known.iter().any(|(own, _)| **own != *known[0].0) {
        figures.push(("variance_explained_percent", 100.0 * (1.0 - squares / variance)));
    }
    figures
}

/// Numbers of a column of `[n, columns]`.
fn numbers(table: &Tensor, column: i64) -> Result<Vec<f64>> {
    let own = table.select(1, column).to_kind(Kind::Double).to_device(Device::Cpu);
    Ok(Vec::try_from(own.contiguous())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_errors_in_their_own_units_where_they_are_known() {
        let truth = [1000.0, f64::NAN, 3000.0, 5000.0];
        let predicted = [1500.0, 0.0, 3000.0, 4000.0];
        let expected = [
            ("rmse", (1_250_000.0_f64 / 3.0).sqrt()),
            ("mae", 500.0),
            ("variance_explained_percent", 100.0 * (1.0 - 1.25 / 8.0)),
        ];
        assert_eq!(of_numbers(&truth, &predicted), expected);
        assert_eq!(of_numbers(&[2.0; 2], &[3.0; 2]), [("rmse", 1.0), ("mae", 1.0)]);
        assert_eq!(of_numbers(&[f64::NAN], &[1.0]), []);
    }

    #[test]
    fn columns_have_a_unit_in_common_if_all_are_numbers() {
        let number = || TableColumn::number("a");
        let time = || TableColumn::new("t", CellType::Time { format: "%F".to_owned() });
        assert!(!is_mixed(&[number(), number()]) && !is_mixed(&[time(), time()]));
        assert!(is_mixed(&[number(), time()]) && is_mixed(&[TableColumn::category("c", vec![])]));
        assert!(is_mixed(&[TableColumn { missing: true, ..number() }]));
    }

    #[test]
    fn missing_is_a_category_of_its_own() {
        let truth = [0.0, 1.0, f64::NAN, f64::NAN];
        let predicted = [0.0, 0.0, f64::NAN, 1.0];
        assert_eq!(of_categories(&truth, &predicted), [("accuracy", 0.5), ("error_rate", 0.5)]);
    }
}

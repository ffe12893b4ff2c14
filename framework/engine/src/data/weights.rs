//! Weights of the training rows: how often each is drawn.

use super::bind::rows_of;
use super::classes::is_label;
use super::places::Places;
use crate::component::Columns;
use crate::config::RowWeights;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use tch::{Device, Kind};

/// Key of the weights, for messages.
const KEY: &str = "training.row_weights";

/// The weight of each row of a table whose labels are numbered; `None` if all are drawn alike.
pub(super) fn of_rows(table: &Columns, kind: Option<RowWeights>) -> Result<Option<Vec<f64>>> {
    // As many as there are rows.
    rows_of(table)?;
    let weights = match kind {
        None => return Ok(None),
        Some(RowWeights::Balanced) => balanced(table)?,
        Some(RowWeights::Given) => given(table)?,
    };
    match weights.iter().any(|weight| *weight > 0.0) {
        true => Ok(Some(weights)),
        false => Err(Error::config(KEY, "the weights of all training rows are 0")),
    }
}

/// Checks the weights of all rows of a table, of which [`of_rows`] takes those for training.
/// `describe` gives the place of a row in its file, for the message.
pub(super) fn check(
    table: &Columns,
    kind: Option<RowWeights>,
    describe: &dyn Fn(i64) -> String,
) -> Result<()> {
    if kind != Some(RowWeights::Given) {
        return Ok(());
    }
    let is_wrong = |weight: &f64| !(weight.is_finite() && *weight >= 0.0);
    match given(table)?.into_iter().enumerate().find(|(_, weight)| is_wrong(weight)) {
        None => Ok(()),
        Some((row, weight)) => {
            let place = Places { kept: &table.kept, describe }.of(row);
            let found = if weight.is_nan() { "none".to_owned() } else { weight.to_string() };
            let message = format!("a weight needs a number of at least 0, and {place} has {found}");
            Err(Error::config(KEY, message))
        }
    }
}

/// The weights that the data give.
fn given(table: &Columns) -> Result<Vec<f64>> {
    let weights = table.weights.as_ref().ok_or_else(|| {
        Error::config(KEY, "the data give no weights")
            .help("name their column or array, as `data: { weights: NAME }`")
    })?;
    Ok(Vec::try_from(weights.to_device(Device::Cpu).to_kind(Kind::Double).reshape([-1]))?)
}

/// Weights with which every class that occurs is drawn as often as any other.
fn balanced(table: &Columns) -> Result<Vec<f64>> {
    let labels = table.y.as_ref().filter(|y| is_label(y)).ok_or_else(|| {
        Error::config(KEY, "the data have no classes to balance")
            .help("y of whole numbers or texts are classes; `given` takes weights of the data")
    })?;
    let labels = Vec::<i64>::try_from(labels.to_device(Device::Cpu).reshape([-1]))?;
    let mut counts: BTreeMap<i64, f64> = BTreeMap::new();
    labels.iter().for_each(|label| *counts.entry(*label).or_default() += 1.0);
    Ok(labels.iter().map(|label| 1.0 / counts[label]).collect())
}

/// Number of equally weighted rows that say as much: (Σw)²/Σw².
pub(super) fn effective(weights: &[f64]) -> f64 {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let (sum, squares) = weights.iter().fold((0.0, 0.0), |(sum, squares), weight| {
        let share = weight / largest;
        (sum + share, squares + share * share)
    });
    sum * sum / squares
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    fn table(y: Option<Tensor>, weights: Option<&[f64]>) -> Columns {
        let x = Some(Tensor::zeros([4, 1], (Kind::Float, Device::Cpu)));
        Columns { x, y, weights: weights.map(Tensor::from_slice), ..Columns::default() }
    }

    #[test]
    fn classes_that_are_balanced_have_the_same_weight_together() {
        let labels = Tensor::from_slice(&[2_i64, 0, 2, 2]);
        let weights = of_rows(&table(Some(labels), None), Some(RowWeights::Balanced)).unwrap();
        let weights = weights.unwrap();
        assert_eq!(weights, [1.0 / 3.0, 1.0, 1.0 / 3.0, 1.0 / 3.0]);
        // (2)²/(1 + 3/9)
        assert!((effective(&weights) - 3.0).abs() < 1e-12);
        assert_eq!(effective(&[1e308, 1e308]), 2.0);
    }

    #[test]
    fn what_cannot_be_a_weight_is_refused() {
        let refused = |weights: Option<&[f64]>, kind| {
            let (table, kind) = (table(None, weights), Some(kind));
            let line = |row: i64| format!("line {} of rows.csv", row + 2);
            let checked = check(&table, kind, &line).and_then(|()| of_rows(&table, kind));
            checked.unwrap_err().to_string()
        };
        for (weights, expected) in [
            (None, "the data give no weights"),
            (Some(&[0.0; 4][..]), "the weights of all training rows are 0"),
            (
                Some(&[1.0, 2.0, -0.5, 1.0]),
                "a weight needs a number of at least 0, and line 4 of rows.csv has -0.5",
            ),
            (
                Some(&[1.0, f64::NAN, 1.0, 1.0]),
                "a weight needs a number of at least 0, and line 3 of rows.csv has none",
            ),
        ] {
            let found = refused(weights, RowWeights::Given);
            assert_eq!(found.lines().next(), Some(expected), "{found}");
            assert!(found.contains("\n  at training.row_weights"), "{found}");
        }
        let short = refused(Some(&[1.0, 1.0]), RowWeights::Given);
        assert_eq!(short, "there are 2 weights, for 4 rows\n  at data");
        let no_classes = refused(None, RowWeights::Balanced);
        assert!(no_classes.starts_with("the data have no classes to balance\n"), "{no_classes}");
        assert_eq!(of_rows(&table(None, Some(&[1.0; 4])), None).unwrap(), None);
    }
}

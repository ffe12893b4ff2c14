//! Division of rows into training, validation and test.

mod sets;
mod shares;

use super::bind::rows_of;
use super::places::Places;
use crate::component::{Columns, Division, Split, SplitColumn, Splits};
use crate::error::{Error, Result};
use crate::rng::{Purpose, rust_rng};
use crate::table::TableColumn;
use rand::seq::SliceRandom as _;
use shares::Shares;
use tch::{Kind, Tensor};

/// Seed of the division: that of the experiment unless the split has its own.
pub(super) fn seed_of(split: &Split, experiment: u64) -> u64 {
    split.seed.unwrap_or(experiment)
}

/// Splits off the validation and test rows that the source does not have itself; returns them with
/// the `data.split` that gives the same sets again. Rows of a set are in random order. `describe`
/// gives the place of a row in its file, for messages.
pub(super) fn divide(
    splits: Splits,
    split: &Split,
    experiment_seed: u64,
    describe: &dyn Fn(i64) -> String,
) -> Result<([Columns; 3], Split)> {
    let division = split.division()?;
    let places = Places { kept: &splits.train.kept, describe };
    let n = rows_of(&splits.train)?;
    let own = [splits.val.is_some(), splits.test.is_some()];
    let mut order: Vec<i64> = (0..n).collect();
    order.shuffle(&mut rust_rng(seed_of(split, experiment_seed), Purpose::Split, 0));
    let (sets, written) = match division {
        Division::Values(name) => {
            let column = column(&splits.train, division, name, n)?;
            (sets::by_value(&order, column, (split, places), own)?, split.clone())
        }
        _ => {
            let shares = Shares::new(split, own)?;
            let sizes = sizes(shares, n, own)?;
            let sets = match division {
                Division::Random | Division::Values(_) => random(order, shares, sizes),
                Division::Classes => sets::stratified(&order, &labels(&splits.train)?, shares.0),
                Division::Strata(name) => {
                    let column = column(&splits.train, division, name, n)?;
                    sets::stratified(&order, &column.cells, shares.0)
                }
                Division::Groups(name) => {
                    let column = column(&splits.train, division, name, n)?;
                    sets::grouped(&order, complete(division, column, places)?, sizes)
                }
                Division::Time(name) => {
                    let column = column(&splits.train, division, name, n)?;
                    sets::in_time(&order, times(division, column, places)?, sizes)
                }
            };
            (sets, shares.written(split))
        }
    };
    if sets[0].is_empty() {
        return Err(Error::config("data.split", "no row is left to train on"));
    }
    let [train, val, test] = sets.map(|rows| splits.train.rows(&rows));
    Ok(([train, splits.val.unwrap_or(val), splits.test.unwrap_or(test)], written))
}

/// Numbers of rows of each set.
///
/// # Errors
/// There is no row to train on.
fn sizes(shares: Shares, n: i64, own: [bool; 2]) -> Result<[i64; 3]> {
    let [mut train, val, test] = shares.sizes(n);
    if own == [true, true] && train < n {
        log::warn!(
            "data.split.train is not used: the data have validation and test rows of their own"
        );
        train = n;
    }
    if train < 1 {
        let [share, ..] = shares.0;
        return Err(Error::config(
            "data.split",
            format!(
                "no row to train on: \
                 of {n} rows {} for training, {val} for validation, {test} for test",
                (share * n as f64).round()
            ),
        )
        .help("shares are such as { train: 0.8, val: 0.1, test: 0.1 }"));
    }
    Ok([train, val, test])
}

/// The first rows for training, then those of validation and of test.
fn random(mut order: Vec<i64>, shares: Shares, [train, val, test]: [i64; 3]) -> [Vec<i64>; 3] {
    let n = order.len();
    // Rows that rounding left over are taken from the end, so that runs of versions that dropped
    // them keep their held-out rows.
    let first = train.min((shares.0[0] * n as f64).round() as i64).max(1);
    let held = order.split_off(first as usize);
    let (val_rows, rest) = held.split_at(val as usize);
    let (test_rows, rest) = rest.split_at(test as usize);
    order.extend(&rest[..(train - first) as usize]);
    [order, val_rows.to_vec(), test_rows.to_vec()]
}

/// The column that a division names.
fn column<'t>(
    train: &'t Columns,
    division: Division<'_>,
    name: &str,
    n: i64,
) -> Result<&'t SplitColumn> {
    let column = train.split.as_ref().filter(|split| split.cells.len() as i64 == n);
    column.ok_or_else(|| {
        let message = format!("this data source yields no column `{name}` to divide its rows by");
        Error::config(key(division), message)
    })
}

fn key(division: Division<'_>) -> String {
    format!("data.split.{}", division.key())
}

/// `column`, if none of its cells is missing.
fn complete<'c>(
    division: Division<'_>,
    column: &'c SplitColumn,
    places: Places<'_>,
) -> Result<&'c SplitColumn> {
    let first = column.cells.iter().position(|cell| cell.is_nan()).unwrap_or(0);
    match column.cells.iter().filter(|cell| cell.is_nan()).count() {
        0 => Ok(column),
        gaps => {
            let name = &column.column.name;
            let message = format!(
                "`{name}` is missing in {gaps} of {} rows, first in {}",
                column.cells.len(),
                places.of(first)
            );
            Err(Error::config(key(division), message)
                .help("fill these cells, or leave the rows out"))
        }
    }
}

/// `column`, if its cells are numbers or times, or texts whose alphabetical order is that of time.
fn times<'c>(
    division: Division<'_>,
    column: &'c SplitColumn,
    places: Places<'_>,
) -> Result<&'c SplitColumn> {
    let is_dated = |text: &str| {
        let year = text.bytes().take_while(u8::is_ascii_digit).count();
        year == 4 && text.bytes().all(|c| c.is_ascii_digit() || b"-:./ TZ+".contains(&c))
    };
    let odd = |column: &'c TableColumn| column.names()?.iter().position(|text| !is_dated(text));
    match odd(&column.column) {
        None => complete(division, column, places),
        Some(code) => {
            let row = column.cells.iter().position(|cell| *cell == code as f64).unwrap_or(0);
            let message = format!(
                "`{}` holds `{}`, which is no time, first in {}",
                column.column.name,
                column.text(code as f64),
                places.of(row)
            );
            Err(Error::config(key(division), message).help(
                "times are numbers, columns of times, or texts that begin with the year, as \
                 2024-12-31",
            ))
        }
    }
}

/// Labels of the rows, as the cells of a column.
fn labels(train: &Columns) -> Result<Vec<f64>> {
    match &train.y {
        Some(y) if y.kind() == Kind::Int64 => {
            Ok(Vec::try_from(Tensor::to_kind(y, Kind::Double).reshape([-1]))?)
        }
        _ => {
            let message = "true needs class labels, and the data have none";
            Err(Error::config("data.split.stratify", message)
                .help("name a column instead, as `stratify: COLUMN`"))
        }
    }
}

#[cfg(test)]
mod tests;

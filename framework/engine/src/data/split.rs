//! Split of rows into training, validation and test.

use super::bind::rows_of;
use crate::component::{Columns, Split, Splits};
use crate::error::{Error, Result};
use crate::rng::{Purpose, rust_rng};
use rand::seq::SliceRandom as _;

/// Default share of validation and of test.
const HELD_OUT: f64 = 0.1;

/// Shares of training, validation and test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares([f64; 3]);

impl Shares {
    /// Shares of `split`, with defaults for the nulls. `own` tells which of validation and test the
    /// source has itself; no rows are split off for them.
    fn new(split: &Split, own: [bool; 2]) -> Result<Self> {
        let given = [split.train, split.val, split.test];
        let used = [given[0], given[1].filter(|_| !own[0]), given[2].filter(|_| !own[1])];
        let sum: f64 = used.iter().flatten().sum();
        if given.iter().flatten().any(|s| !(0.0..=1.0).contains(s)) || sum > 1.0 + 1e-9 {
            let all: Vec<f64> = given.into_iter().flatten().collect();
            return Err(Error::config(
                "data.split",
                format!("shares must lie in [0, 1] and add up to at most 1, got {all:?}"),
            ));
        }
        let open = used[1..].iter().zip(own).filter(|(s, own)| s.is_none() && !own).count();
        let left = ((1.0 - sum) / open.max(1) as f64).max(0.0);
        let default = if own.contains(&true) { 0.0 } else { HELD_OUT.min(left) };
        let share = |i: usize| if own[i - 1] { 0.0 } else { given[i].unwrap_or(default) };
        let (val, test) = (share(1), share(2));
        // Rounded, so that 1 − 0.1 − 0.1 is written as 0.8.
        let rest = ((1.0 - val - test).max(0.0) * 1e9).round() / 1e9;
        Ok(Self([given[0].unwrap_or(rest), val, test]))
    }

    /// Numbers of rows of each set, out of `n`. Shares that add up to 1 lose no row to rounding,
    /// and a set with a share above 0 has a row if there are enough.
    fn sizes(self, n: i64) -> [i64; 3] {
        let Self([train, val, test]) = self;
        let rounded = |share: f64| (share * n as f64).round() as i64;
        let held_out = |share: f64, max: i64| match share > 0.0 {
            true => rounded(share).max(1).min(max.max(0)),
            false => 0,
        };
        let least = i64::from(train > 0.0);
        let test_rows = held_out(test, n - least);
        let val_rows = held_out(val, n - least - test_rows);
        let left = n - val_rows - test_rows;
        let complete = train > 0.0 && train + val + test > 1.0 - 1e-9;
        [if complete { left } else { rounded(train).min(left) }, val_rows, test_rows]
    }

    /// The `data.split` with these shares.
    pub(super) fn to_split(self) -> Split {
        let [train, val, test] = self.0.map(Some);
        Split { train, val, test }
    }
}

/// Splits off the validation and test rows that the source does not have itself.
pub(super) fn divide(splits: Splits, split: &Split, seed: u64) -> Result<([Columns; 3], Shares)> {
    let n = rows_of(&splits.train)?;
    let own = [splits.val.is_some(), splits.test.is_some()];
    let shares = Shares::new(split, own)?;
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
    let mut order: Vec<i64> = (0..n).collect();
    order.shuffle(&mut rust_rng(seed, Purpose::Split, 0));
    // Rows that rounding left over are taken from the end, so that runs of versions that dropped
    // them keep their held-out rows.
    let first = train.min((shares.0[0] * n as f64).round() as i64).max(1);
    let held = order.split_off(first as usize);
    let (val_rows, rest) = held.split_at(val as usize);
    let (test_rows, rest) = rest.split_at(test as usize);
    order.extend(&rest[..(train - first) as usize]);
    let [train, val, test] = [&order, val_rows, test_rows].map(|rows| splits.train.rows(rows));
    Ok(([train, splits.val.unwrap_or(val), splits.test.unwrap_or(test)], shares))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

    fn split(train: Option<f64>, val: Option<f64>, test: Option<f64>) -> Split {
        Split { train, val, test }
    }

    fn table(n: i64) -> Columns {
        let x = Tensor::arange(n, (Kind::Float, tch::Device::Cpu)).view([n, 1]);
        Columns { x: Some(x), ..Columns::default() }
    }

    fn rows(table: &Columns) -> Vec<f64> {
        Vec::try_from(table.x.as_ref().unwrap().view(-1).to_kind(Kind::Double)).unwrap()
    }

    #[test]
    fn shares_that_nobody_wrote_go_to_training_where_a_set_is_given() {
        let none = split(None, None, None);
        let shares = |split: &Split, own| Shares::new(split, own).unwrap().0;
        assert_eq!(shares(&none, [false, false]), [0.8, 0.1, 0.1]);
        for own in [[true, false], [false, true], [true, true]] {
            assert_eq!(shares(&none, own), [1.0, 0.0, 0.0]);
        }
        // Given shares are kept, and the others fill up to 1.
        let test_given = [false, true];
        assert_eq!(shares(&split(None, Some(0.2), None), test_given), [0.8, 0.2, 0.0]);
        assert_eq!(shares(&split(Some(0.8), Some(0.1), Some(0.1)), test_given), [0.8, 0.1, 0.0]);
        assert_eq!(shares(&split(None, None, Some(0.2)), [false, false]), [0.7, 0.1, 0.2]);
        assert_eq!(shares(&split(Some(0.9), None, None), [false, false])[0], 0.9);
        assert!((shares(&split(Some(0.9), None, None), [false, false])[1] - 0.05).abs() < 1e-12);
        assert_eq!(shares(&split(Some(0.6), None, None), [false, false]), [0.6, 0.1, 0.1]);
        assert!(Shares::new(&split(Some(0.8), Some(0.3), None), [false, false]).is_err());
        assert!(Shares::new(&split(Some(0.8), Some(0.3), None), [true, false]).is_ok());
    }

    #[test]
    fn no_row_is_lost_to_rounding_and_each_set_asked_for_has_one() {
        let usual = Shares([0.8, 0.1, 0.1]);
        assert_eq!(usual.sizes(100), [80, 10, 10]);
        assert_eq!(usual.sizes(64), [52, 6, 6]);
        assert_eq!(usual.sizes(15), [11, 2, 2]);
        assert_eq!(usual.sizes(4), [2, 1, 1]);
        assert_eq!(usual.sizes(3), [1, 1, 1]);
        assert_eq!(usual.sizes(2), [1, 0, 1]);
        assert_eq!(usual.sizes(1), [1, 0, 0]);
        assert_eq!(Shares([0.5, 0.0, 0.0]).sizes(9), [5, 0, 0]);
        for n in 1..500 {
            assert_eq!(usual.sizes(n).iter().sum::<i64>(), n);
            assert_eq!(Shares([0.34, 0.33, 0.33]).sizes(n).iter().sum::<i64>(), n);
        }
    }

    #[test]
    fn sets_are_disjoint_and_hold_every_row() {
        for n in [1, 2, 3, 4, 5, 64, 178] {
            let splits = Splits { train: table(n), ..Splits::default() };
            let (sets, _) = divide(splits, &split(None, None, None), 7).unwrap();
            let mut all: Vec<f64> = sets.iter().flat_map(rows).collect();
            all.sort_by(f64::total_cmp);
            assert_eq!(all, (0..n).map(|i| i as f64).collect::<Vec<_>>(), "{n}");
        }
    }

    #[test]
    fn lengths_for_another_number_of_rows_are_refused() {
        for n in [4, 6] {
            let lengths = Some(Tensor::ones([n], (Kind::Int64, tch::Device::Cpu)));
            let train = Columns { x_lengths: lengths, ..table(5) };
            let splits = Splits { train, ..Splits::default() };
            let error = divide(splits, &split(None, None, None), 1).err().unwrap().to_string();
            assert!(error.starts_with(&format!("the lengths of x have shape [{n}], for 5 rows")));
        }
    }

    #[test]
    fn a_test_set_of_its_own_leaves_all_rows_to_training() {
        let splits = || Splits { train: table(120), test: Some(table(58)), ..Splits::default() };
        let sizes = |split: &Split| {
            let (sets, shares) = divide(splits(), split, 7).unwrap();
            (sets.map(|set| rows(&set).len()), shares.to_split())
        };
        let (sizes_of, written) = sizes(&split(None, None, None));
        assert_eq!(sizes_of, [120, 0, 58]);
        assert_eq!(written, split(Some(1.0), Some(0.0), Some(0.0)));
        // The shares in the run's configuration give the same split again.
        assert_eq!(sizes(&written), (sizes_of, written.clone()));
        assert_eq!(sizes(&split(None, Some(0.1), None)).0, [108, 12, 58]);
        assert_eq!(sizes(&split(Some(0.8), Some(0.1), Some(0.1))).0, [96, 12, 58]);
    }
}

//! Shares of the rows in each set, and the numbers of rows that they mean.

use crate::component::{Portion, Split};
use crate::error::{Error, Result};

/// Default share of validation and of test.
const HELD_OUT: f64 = 0.1;

/// Shares of training, validation and test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares(pub(super) [f64; 3]);

impl Shares {
    /// Shares of `split`, with defaults for the nulls. `own` tells which of validation and test the
    /// source has itself; no rows are split off for them.
    pub(super) fn new(split: &Split, own: [bool; 2]) -> Result<Self> {
        let share = |(key, portion): (&str, &Option<Portion>)| match portion {
            None => Ok(None),
            Some(Portion::Share(share)) => Ok(Some(*share)),
            Some(Portion::Values(_)) => {
                let message = "needs a share: values are those of the column that `by` names";
                Err(Error::config(format!("data.split.{key}"), message))
            }
        };
        let given = [("train", &split.train), ("val", &split.val), ("test", &split.test)];
        let given = [share(given[0])?, share(given[1])?, share(given[2])?];
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
    pub(super) fn sizes(self, n: i64) -> [i64; 3] {
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

    /// `split` with these shares.
    pub(super) fn written(self, split: &Split) -> Split {
        let [train, val, test] = self.0.map(|share| Some(Portion::Share(share)));
        Split { train, val, test, ..split.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(train: Option<f64>, val: Option<f64>, test: Option<f64>) -> Split {
        let [train, val, test] = [train, val, test].map(|share| share.map(Portion::Share));
        Split { train, val, test, ..Split::default() }
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
}

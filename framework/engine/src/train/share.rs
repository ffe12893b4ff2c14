//! Parts of a batch: rows with random numbers of their own, whoever computes them.

use crate::config::Training;
use crate::error::{Error, Result};
use crate::group::{Group, part};
use std::ops::Range;

/// The parts of each batch that a process takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Numbers of its parts.
    pub own: Range<i64>,
    /// Number of all parts.
    pub of: i64,
}

impl Share {
    /// Whole batches, in one part.
    pub const ALL: Self = Self { own: 0..1, of: 1 };

    /// The share of a process of `group`.
    ///
    /// # Errors
    /// [`Error::Config`]: the processes cannot divide the parts, or there are more parts than rows.
    pub fn new(training: &Training, group: &Group) -> Result<Self> {
        let (of, ranks) = (training.parts.unwrap_or(1), group.size() as i64);
        let bad = |message: String| Err(Error::config("training.parts", message));
        let batch = training.batch_size;
        if batch % of != 0 {
            return bad(format!("{of} parts cannot divide the {batch} rows of a batch evenly"))
                .map_err(|e| e.help("choose training.batch_size as a multiple of the parts"));
        }
        if of % ranks != 0 {
            let message = format!("{ranks} ranks cannot share {of} parts evenly");
            let help = format!("start as many ranks as divide {of}, which the training began with");
            return bad(message).map_err(|e| e.help(help));
        }
        Ok(Self { own: part(of, group.rank() as i64, ranks), of })
    }

    /// Rows of the own parts in a batch of `n` rows.
    pub fn rows(&self, n: i64) -> Range<i64> {
        part(n, self.own.start, self.of).start..part(n, self.own.end - 1, self.of).end
    }

    /// Rows of part `i` in a batch of `n` rows.
    pub fn part(&self, i: i64, n: i64) -> Range<i64> {
        part(n, i, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_shares_divide_a_batch_of_any_size() {
        for (of, ranks) in [(1, 1), (4, 1), (4, 2), (6, 3), (8, 8)] {
            for n in [0, 1, 3, 8, 100, 1001] {
                let mut rows = Vec::new();
                for rank in 0..ranks {
                    let share = Share { own: part(of, rank, ranks), of };
                    let own = share.rows(n);
                    let parts: Vec<i64> =
                        share.own.clone().flat_map(|i| share.part(i, n)).collect();
                    assert_eq!(parts, own.collect::<Vec<_>>(), "{of} {ranks} {n}");
                    rows.extend(parts);
                }
                assert_eq!(rows, (0..n).collect::<Vec<_>>(), "{of} {ranks} {n}");
            }
        }
    }
}

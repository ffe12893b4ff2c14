//! Metrics of generated rows of a table beside real ones, in the data's own units.

mod boosting;
mod closest;
mod design;
mod detection;
mod efficacy;
mod encoding;
mod learner;
mod shapes;
mod trends;

pub use closest::closest_distances;
pub use detection::{Detection, detection};
pub use efficacy::efficacy;
pub use shapes::{column_shapes, missing_cells};
pub use trends::{Pair, PairTrend, column_pairs, pair_trends};

use crate::table::{TableColumn, TableRows};
use crate::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::cmp::Ordering;

crate::choices! {
    /// Learner by which a metric judges rows of a table.
    pub enum TableLearner {
        /// Logistic regression of classes, ridge regression of numbers: the fastest, which sees one
        /// column at a time.
        Linear = "linear",
        /// Gradient-boosted trees, which see how columns depend on each other.
        Boosting = "boosting",
    }
}

/// Some rows of a table.
#[derive(Clone, Debug)]
pub struct DrawnRows<'a> {
    columns: &'a [TableColumn],
    values: Vec<f64>,
}

impl<'a> DrawnRows<'a> {
    /// At most `most` of `rows`, drawn with `seed`, in an order that is drawn as well. The outcome
    /// does not depend on the order of `rows`.
    pub fn new(rows: TableRows<'a>, most: usize, seed: u64) -> Self {
        let width = rows.columns.len();
        let mut all: Vec<&[f64]> = rows.values.chunks_exact(width.max(1)).collect();
        all.sort_unstable_by(|a, b| {
            let cells = a.iter().zip(*b).map(|(a, b)| a.total_cmp(b));
            cells.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        all.truncate(most);
        Self { columns: rows.columns, values: all.concat() }
    }

    /// The rows.
    pub fn rows(&self) -> TableRows<'_> {
        TableRows { columns: self.columns, values: &self.values }
    }
}

/// Mean of the values that are defined; `None` if there are none.
pub fn mean_of_defined(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) =
        values.into_iter().flatten().fold((0.0, 0), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Checks that two tables have the same number of columns.
fn same_columns(a: TableRows<'_>, b: TableRows<'_>) -> Result<()> {
    let (a, b) = (a.columns.len(), b.columns.len());
    match a == b {
        true => Ok(()),
        false => Err(Error::runtime(format!(
            "the tables to compare have {a} and {b} columns; both need the same"
        ))),
    }
}

/// Code of a cell in a column of `count` categories: its own, `count` if it is missing, and
/// `count + 1` for a category that is none of them.
fn code_of(cell: f64, count: usize) -> usize {
    match cell {
        cell if cell.is_nan() => count,
        cell if cell >= 0.0 && cell < count as f64 => cell as usize,
        _ => count + 1,
    }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::testing::cases;
    use super::*;

    #[test]
    fn the_rows_that_are_drawn_do_not_depend_on_their_order() {
        let case = &cases()[0];
        let (all, width) = (case.real(), case.real().columns.len());
        let turned: Vec<f64> = all.values.chunks(width).rev().flatten().copied().collect();
        let turned = TableRows { values: &turned, ..all };
        let bits = |rows: TableRows<'_>, most, seed| -> Vec<u64> {
            let drawn = DrawnRows::new(rows, most, seed);
            drawn.rows().values.iter().map(|v| v.to_bits()).collect()
        };
        assert_eq!(bits(all, 10, 1), bits(turned, 10, 1));
        assert_eq!(bits(all, 10, 1).len(), 10 * width);
        assert_ne!(bits(all, 10, 1), bits(all, 10, 2));
        // The largest row is drawn as often as any other.
        let columns = [TableColumn::number("x")];
        let numbers: Vec<f64> = (0..20).map(f64::from).collect();
        let numbers = TableRows { columns: &columns, values: &numbers };
        let is_drawn = |seed: &u64| DrawnRows::new(numbers, 5, *seed).rows().values.contains(&19.0);
        let times = (0..100).filter(is_drawn).count();
        assert!((10..40).contains(&times), "{times}");
        let mut both = [bits(all, 1000, 3), bits(all, 1000, 4)];
        assert_ne!(both[0], both[1]);
        both.iter_mut().for_each(|bits| bits.sort_unstable());
        assert_eq!(both[0], both[1]);
    }
}

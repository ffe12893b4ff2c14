use super::{code_of, same_columns};
use crate::table::TableRows;
use crate::{Error, Result};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Number of bins of a number beside a category.
const BINS: usize = 10;

/// Numbers of two columns, the smaller one first.
pub type Pair = (usize, usize);

/// All pairs of `width` columns at least one of which is among the first `columns`, or, if these
/// are more than `most`, as many of them drawn with `seed`; in ascending order.
pub fn column_pairs(width: usize, columns: usize, most: usize, seed: u64) -> Vec<Pair> {
    let from = |first: usize| width - 1 - first;
    let firsts = 0..columns.min(width.saturating_sub(1));
    let all: usize = firsts.clone().map(from).sum();
    let mut places = if all <= most {
        (0..all).collect()
    } else {
        index::sample(&mut ChaCha8Rng::seed_from_u64(seed), all, most).into_vec()
    };
    places.sort_unstable();
    let (mut firsts, mut first, mut start) = (firsts, 0, 0);
    let pair = |place: usize| {
        // Places of the pairs of one first column follow each other.
        while place >= start {
            first = firsts.next()?;
            start += from(first);
        }
        Some((first, width - (start - place)))
    };
    places.into_iter().map_while(pair).collect()
}

/// Similarity of the dependence of two columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairTrend {
    /// Numbers of the columns.
    pub columns: Pair,
    /// The similarity, in \[0, 1\]; `None` if it is not defined.
    pub similarity: Option<f64>,
}

/// Similarity of the dependence of two columns, for each of `pairs`, those of a first column one
/// after the other:
/// - two numbers or times: 1 − |difference of Pearson's correlations| / 2, among the rows that have
///   both cells; `None` for fewer than two such rows or equal numbers, in which case the
///   correlation is not defined.
/// - others: 1 − the total variation distance of the joint distributions, a missing cell being a
///   category of its own. A number is put into one of ten equal bins from the least to the greatest
///   of its side, real or generated; the greatest number and a missing one are a bin of their own.
///
/// These are the column pair trends of `sdmetrics`.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) for tables of different columns, and for a pair of
/// which a column is none of them.
pub fn pair_trends(
    real: TableRows<'_>,
    generated: TableRows<'_>,
    pairs: &[Pair],
) -> Result<Vec<PairTrend>> {
    same_columns(real, generated)?;
    let width = real.columns.len();
    if let Some((a, b)) = pairs.iter().find(|(a, b)| *a.max(b) >= width) {
        return Err(Error::runtime(format!("there is no pair {a}, {b} among {width} columns")));
    }
    let side = |number| Column::new(real, generated, number);
    let sides: Vec<Column> = (0..width).map(side).collect();
    let mut joint = Joint::new(real.len(), generated.len(), &sides);
    let mut trends = Vec::new();
    let mut grouped = None;
    for (i, j) in pairs.iter().copied() {
        let (first, second) = (&sides[i], &sides[j]);
        let similarity = match (&first.numbers, &second.numbers) {
            (Some(a), Some(b)) => correlations(a, b),
            _ => {
                if grouped.replace(i) != Some(i) {
                    joint.group(first);
                }
                joint.total_variation(second).map(|distance| 1.0 - distance)
            }
        };
        trends.push(PairTrend { columns: (i, j), similarity });
    }
    Ok(trends)
}

/// A column, real and generated.
struct Column {
    /// Real and generated cells of numbers and times.
    numbers: Option<[Vec<f64>; 2]>,
    /// Category or bin of each real row, followed by those of the generated ones.
    codes: Vec<usize>,
    /// Number of categories or bins.
    count: usize,
}

impl Column {
    fn new(real: TableRows<'_>, generated: TableRows<'_>, number: usize) -> Self {
        let sides = [real, generated].map(|rows| rows.column(number).collect::<Vec<f64>>());
        match real.columns[number].names() {
            Some(names) => {
                let codes = sides.iter().flatten().map(|cell| code_of(*cell, names.len()));
                Self { codes: codes.collect(), count: names.len() + 2, numbers: None }
            }
            None => {
                let codes = sides.iter().flat_map(|cells| binned(cells)).collect();
                Self { codes, count: BINS + 2, numbers: Some(sides) }
            }
        }
    }
}

/// Bin of each number: from 1 to [`BINS`], and `BINS + 1` for the greatest and for missing ones.
fn binned(cells: &[f64]) -> Vec<usize> {
    let there = cells.iter().filter(|v| !v.is_nan());
    let (least, most) = there
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), v| (v.min(least), v.max(most)));
    let (first, last) = match (least, most) {
        _ if least > most => (0.0, 1.0),
        _ if least == most => (least - 0.5, most + 0.5),
        _ => (least, most),
    };
    let step = (last - first) / BINS as f64;
    // The last edge is `last` itself, in which the sum may have a rounding error.
    let edge = |i: usize| if i == BINS { last } else { i as f64 * step + first };
    let edges: Vec<f64> = (0..=BINS).map(edge).collect();
    let bin = |v: &f64| edges.partition_point(|edge| *edge <= *v || v.is_nan());
    cells.iter().map(bin).collect()
}

/// 1 − |difference of the correlations of `a` and `b`| / 2, of real and generated cells.
fn correlations([real_a, made_a]: &[Vec<f64>; 2], [real_b, made_b]: &[Vec<f64>; 2]) -> Option<f64> {
    let (real, made) = (correlation(real_a, real_b)?, correlation(made_a, made_b)?);
    Some(1.0 - (real - made).abs() / 2.0)
}

/// Pearson's correlation among the rows that have both cells; `None` if it is not defined.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let both = || a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let n = both().count();
    let (first_a, first_b) = both().next()?;
    let constant = both().all(|(a, _)| a == first_a) || both().all(|(_, b)| b == first_b);
    if n < 2 || constant {
        return None;
    }
    let (sum_a, sum_b) = both().fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
    let (mean_a, mean_b) = (sum_a / n as f64, sum_b / n as f64);
    let mut squares = (0.0, 0.0, 0.0);
    for (a, b) in both() {
        let (a, b) = (a - mean_a, b - mean_b);
        squares = (squares.0 + a * a, squares.1 + a * b, squares.2 + b * b);
    }
    let correlation = squares.1 / (squares.0.sqrt() * squares.2.sqrt());
    correlation.is_finite().then(|| correlation.clamp(-1.0, 1.0))
}

/// Joint distributions of two columns, real and generated.
struct Joint {
    /// Rows by their code in the first column, and the end of each code's rows.
    rows: Vec<usize>,
    ends: Vec<usize>,
    /// Sides of the differences that are not defined without rows.
    both: bool,
    real: usize,
    shares: (f64, f64),
    /// Difference of the shares of each code of the second column, zero between calls.
    differences: Vec<f64>,
}

impl Joint {
    fn new(real: usize, generated: usize, columns: &[Column]) -> Self {
        let most = columns.iter().map(|column| column.count).max().unwrap_or(0);
        Self {
            rows: vec![0; real + generated],
            ends: Vec::new(),
            both: real > 0 && generated > 0,
            real,
            shares: (1.0 / real as f64, -1.0 / generated as f64),
            differences: vec![0.0; most],
        }
    }

    /// Groups the rows by the codes of `first`.
    fn group(&mut self, first: &Column) {
        let mut starts = vec![0; first.count + 1];
        for code in &first.codes {
            starts[code + 1] += 1;
        }
        for code in 0..first.count {
            starts[code + 1] += starts[code];
        }
        for (row, code) in first.codes.iter().enumerate() {
            self.rows[starts[*code]] = row;
            starts[*code] += 1;
        }
        // Each start has moved to the end of its code.
        starts.truncate(first.count);
        self.ends = starts;
    }

    /// Total variation distance of the joint distributions with `second`; `None` without rows.
    fn total_variation(&mut self, second: &Column) -> Option<f64> {
        let (mut sum, mut from) = (0.0, 0);
        for end in &self.ends {
            let group = &self.rows[from..*end];
            from = *end;
            for row in group {
                let share = if *row < self.real { self.shares.0 } else { self.shares.1 };
                self.differences[second.codes[*row]] += share;
            }
            for row in group {
                sum += std::mem::take(&mut self.differences[second.codes[*row]]).abs();
            }
        }
        self.both.then_some(sum / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::mean_of_defined;
    use super::super::testing::{cases, close, column_scores};
    use super::*;

    fn all_pairs(width: usize) -> Vec<Pair> {
        column_pairs(width, width, usize::MAX, 0)
    }

    #[test]
    fn golden_values_hold() {
        for case in cases() {
            let (real, generated) = (case.real(), case.generated());
            let found = pair_trends(real, generated, &all_pairs(real.columns.len())).unwrap();
            let expected = column_scores(&case.expected["trends"]);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                let what = format!("{} columns {:?}", case.name, found.columns);
                close(&what, found.similarity, expected);
            }
            let all = mean_of_defined(found.iter().map(|trend| trend.similarity));
            close(&case.name, all, case.expected["trends_mean"].as_f64());
        }
    }

    #[test]
    fn a_correlation_of_the_other_sign_is_no_similarity() {
        let columns = ["a", "b"].map(crate::table::TableColumn::number);
        let rows = |values| TableRows { columns: &columns, values };
        let (rising, falling) = ([1.0, 1.0, 2.0, 2.0, 4.0, 4.0], [1.0, 4.0, 2.0, 3.0, 4.0, 1.0]);
        let similarity =
            |made| pair_trends(rows(&rising), rows(made), &[(0, 1)]).unwrap()[0].similarity;
        close("the same", similarity(&rising), Some(1.0));
        close("the opposite", similarity(&falling), Some(0.0));
    }

    #[test]
    fn every_pair_has_a_generated_column_and_many_are_drawn_alike() {
        let given: Vec<Pair> = (0..2).flat_map(|i| (i + 1..5).map(move |j| (i, j))).collect();
        assert_eq!(column_pairs(5, 2, 7, 0), given);
        assert_eq!(all_pairs(4), [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
        assert!([0, 1].iter().all(|width| all_pairs(*width).is_empty()));
        let (width, columns, most) = (900, 500, 3000);
        let mut times = vec![0; width];
        for seed in 0..20 {
            let drawn = column_pairs(width, columns, most, seed);
            assert_eq!((drawn.len(), &drawn), (most, &column_pairs(width, columns, most, seed)));
            assert!(drawn.is_sorted_by(|a, b| a < b));
            assert!(drawn.iter().all(|(a, b)| a < b && *a < columns && *b < width));
            drawn.iter().flat_map(|(a, b)| [*a, *b]).for_each(|column| times[column] += 1);
        }
        // A column of the first is in 899 of all pairs, one of the last in 500.
        let mean = |columns: &[usize]| columns.iter().sum::<usize>() as f64 / columns.len() as f64;
        let pairs: f64 = (0..columns).map(|i| (width - 1 - i) as f64).sum();
        let expected = |own: f64| 20.0 * most as f64 * own / pairs;
        assert!((mean(&times[..columns]) / expected(899.0) - 1.0).abs() < 0.01);
        assert!((mean(&times[columns..]) / expected(500.0) - 1.0).abs() < 0.03);
    }

    #[test]
    fn some_pairs_have_the_similarity_that_they_have_among_all() {
        for case in cases() {
            let (real, generated) = (case.real(), case.generated());
            let width = real.columns.len();
            let all = pair_trends(real, generated, &all_pairs(width)).unwrap();
            let some = pair_trends(real, generated, &column_pairs(width, width, 3, 1)).unwrap();
            assert_eq!(some.len(), all.len().min(3));
            assert!(some.iter().all(|trend| all.contains(trend)));
            assert!(pair_trends(real, generated, &[(0, width)]).is_err());
        }
    }

    #[test]
    fn a_number_is_in_the_bin_that_numpy_says() {
        let cells = [1.0, f64::NAN, 3.0, 1.2, 1.4, 2.99];
        assert_eq!(binned(&cells), [1, 11, 11, 2, 3, 10]);
        assert_eq!(binned(&[5.0, 5.0]), [6, 6]);
        assert_eq!(binned(&[f64::NAN]), [11]);
    }
}

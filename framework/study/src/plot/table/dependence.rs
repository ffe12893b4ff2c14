//! Dependence of two columns, between 0 and 1, or −1 and 1 for two columns of numbers.

use crate::metrics::mean;

/// Cells of a column: codes below a number of categories, or numbers and times; NaN for a missing
/// one.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub cells: &'a [f64],
    /// Number of categories; `None` for numbers and times.
    pub categories: Option<usize>,
}

/// Dependence of two columns over the rows in which neither cell is missing: Pearson's correlation
/// of numbers, Cramér's V of categories, the correlation ratio of numbers and categories, the last
/// two without their bias (Bergsma 2013; Kelley 1935). NaN if a column does not vary, or there are
/// fewer than three rows.
pub(super) fn dependence(a: Cells<'_>, b: Cells<'_>) -> f64 {
    let there = |cell: f64, of: Option<usize>| match of {
        Some(categories) => cell >= 0.0 && cell < categories as f64,
        None => cell.is_finite(),
    };
    let rows = a.cells.iter().copied().zip(b.cells.iter().copied());
    let rows: Vec<(f64, f64)> =
        rows.filter(|(x, y)| there(*x, a.categories) && there(*y, b.categories)).collect();
    if rows.len() < 3 {
        return f64::NAN;
    }
    match (a.categories, b.categories) {
        (None, None) => pearson(&rows),
        (Some(a), Some(b)) => cramer(&rows, a, b),
        (Some(categories), None) => correlation_ratio(&rows, categories),
        (None, Some(categories)) => {
            let turned: Vec<(f64, f64)> = rows.iter().map(|(x, y)| (*y, *x)).collect();
            correlation_ratio(&turned, categories)
        }
    }
}

fn pearson(rows: &[(f64, f64)]) -> f64 {
    let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
    let (x_mean, y_mean) = (mean(&x), mean(&y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in rows {
        let (x, y) = (x - x_mean, y - y_mean);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    if !(varies(xx, x_mean, x.len()) && varies(yy, y_mean, y.len())) {
        return f64::NAN;
    }
    (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0)
}

/// True if a sum of squared deviations from `mean` is more than rounding.
fn varies(squares: f64, mean: f64, n: usize) -> bool {
    squares > 1e-24 * mean * mean * n as f64 && squares > 0.0
}

fn cramer(rows: &[(f64, f64)], a: usize, b: usize) -> f64 {
    let n = rows.len() as f64;
    let (mut of_a, mut of_b) = (vec![0.0; a], vec![0.0; b]);
    let mut pairs: Vec<(usize, usize)> =
        rows.iter().map(|(x, y)| (*x as usize, *y as usize)).collect();
    for (x, y) in &pairs {
        of_a[*x] += 1.0;
        of_b[*y] += 1.0;
    }
    // A table of all pairs would take the product of the numbers of categories.
    pairs.sort_unstable();
    let mut phi = -1.0;
    for equal in pairs.chunk_by(|a, b| a == b) {
        let count = equal.len() as f64;
        phi += count * count / (of_a[equal[0].0] * of_b[equal[0].1]);
    }
    let used = |all: &[f64]| all.iter().filter(|count| **count > 0.0).count() as f64;
    let (a, b) = (used(&of_a), used(&of_b));
    if a < 2.0 || b < 2.0 {
        return f64::NAN;
    }
    let corrected = |k: f64| k - (k - 1.0).powi(2) / (n - 1.0);
    let phi = (phi - (a - 1.0) * (b - 1.0) / (n - 1.0)).max(0.0);
    let least = corrected(a).min(corrected(b)) - 1.0;
    if least <= 0.0 { 0.0 } else { (phi / least).sqrt().min(1.0) }
}

/// Square root of the share of the variance of numbers that their categories explain; rows are
/// (category, number).
fn correlation_ratio(rows: &[(f64, f64)], categories: usize) -> f64 {
    let n = rows.len() as f64;
    let (mut sums, mut counts) = (vec![0.0; categories], vec![0.0; categories]);
    let all: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let centre = mean(&all);
    let mut total = 0.0;
    for (category, value) in rows {
        let code = *category as usize;
        sums[code] += value - centre;
        counts[code] += 1.0;
        total += (value - centre).powi(2);
    }
    let used = counts.iter().filter(|count| **count > 0.0).count() as f64;
    if used < 2.0 || !varies(total, centre, rows.len()) {
        return f64::NAN;
    }
    let between: f64 = sums.iter().zip(&counts).map(|(s, n)| s * s / f64::max(*n, 1.0)).sum();
    if n <= used {
        return 0.0;
    }
    (1.0 - (1.0 - between / total) * (n - 1.0) / (n - used)).clamp(0.0, 1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(cells: &[f64]) -> Cells<'_> {
        Cells { cells, categories: None }
    }

    fn codes(cells: &[f64], categories: usize) -> Cells<'_> {
        Cells { cells, categories: Some(categories) }
    }

    #[test]
    fn numbers_on_a_line_have_correlation_one_and_gaps_do_not_count() {
        let (x, nan) = ([1.0, 2.0, 3.0, 4.0, f64::NAN, 9.0], f64::NAN);
        let y = [-2.0, -4.0, -6.0, -8.0, 100.0, nan];
        assert!((dependence(numbers(&x), numbers(&y)) + 1.0).abs() < 1e-12);
        assert!(dependence(numbers(&x), numbers(&[5.0; 6])).is_nan());
        assert!(dependence(numbers(&x[4..]), numbers(&y[4..])).is_nan());
    }

    #[test]
    fn categories_that_are_a_function_of_each_other_are_fully_dependent() {
        let a: Vec<f64> = (0..300).map(|i| f64::from(i % 3)).collect();
        let b: Vec<f64> = a.iter().map(|code| (code + 1.0) % 3.0).collect();
        assert!((dependence(codes(&a, 3), codes(&b, 3)) - 1.0).abs() < 1e-12);
        let size: Vec<f64> = a.iter().map(|code| 10.0 * code * code).collect();
        assert!((dependence(codes(&a, 3), numbers(&size)) - 1.0).abs() < 1e-12);
        assert!((dependence(numbers(&size), codes(&a, 3)) - 1.0).abs() < 1e-12);
        assert!(dependence(codes(&a, 3), codes(&[0.0; 300], 2)).is_nan());
    }

    #[test]
    fn many_categories_do_not_take_the_memory_of_all_their_pairs() {
        let n = 200_000;
        let a: Vec<f64> = (0..1000).map(|i| f64::from(i % 500 * 400)).collect();
        let b: Vec<f64> = a.iter().map(|code| n as f64 - 1.0 - code).collect();
        assert!((dependence(codes(&a, n), codes(&b, n)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn independent_columns_with_many_categories_are_not_called_dependent() {
        let mixed = |i: u64, m: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % m;
        let a: Vec<f64> = (0..1000).map(|i| mixed(i, 200) as f64).collect();
        let b: Vec<f64> = (0..1000).map(|i| mixed(i + 5000, 7) as f64).collect();
        let value: Vec<f64> = (0..1000).map(|i| mixed(i + 9000, 1000) as f64).collect();
        assert!(dependence(codes(&a, 200), codes(&b, 7)) < 0.2);
        assert!(dependence(codes(&a, 200), numbers(&value)) < 0.3);
    }
}

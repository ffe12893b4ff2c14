//! Squared distances between all pairs of points, a tile at a time. A tile of `y` is stored
//! dimension by dimension, so that several pairs are computed in one instruction and the tile fits
//! in the cache.

use super::Points;

/// Number of values in a tile: 128 KiB, which fits in the second-level cache.
const TILE: usize = 16 * 1024;

/// Visits the squared distance of every point of `x` to every point of `y`, in runs.
pub fn across(x: Points, y: Points, visit: impl FnMut(&[f64])) {
    tiles(x, y, false, visit);
}

/// Visits the squared distance of every two different points of `x` once, in runs.
pub fn within(x: Points, visit: impl FnMut(&[f64])) {
    tiles(x, x, true, visit);
}

/// Visits, for each point of `x` in order, its squared distances to all points of `y` in order. The
/// distances of a to b and of b to a are equal to the last bit.
pub fn rows(x: Points, y: Points, mut visit: impl FnMut(usize, &mut [f64])) {
    let (n, dim) = (y.len(), x.dim());
    let mut columns = vec![0.0; n * dim];
    for (j, row) in y.rows().enumerate() {
        for (k, value) in row.iter().enumerate() {
            columns[k * n + j] = *value;
        }
    }
    let mut run = vec![0.0; n];
    for (i, row) in x.rows().enumerate() {
        run.fill(0.0);
        for (value, column) in row.iter().zip(columns.chunks_exact(n)) {
            for (sum, other) in run.iter_mut().zip(column) {
                let d = value - other;
                *sum += d * d;
            }
        }
        visit(i, &mut run);
    }
}

fn tiles(x: Points, y: Points, later_only: bool, mut visit: impl FnMut(&[f64])) {
    let dim = x.dim();
    let width = (TILE / dim).clamp(16, 512);
    let mut columns = vec![0.0; width * dim];
    let mut run = vec![0.0; width];
    for first in (0..y.len()).step_by(width) {
        let end = (first + width).min(y.len());
        let len = end - first;
        for (j, row) in (first..end).map(|j| y.row(j)).enumerate() {
            for (k, value) in row.iter().enumerate() {
                columns[k * len + j] = *value;
            }
        }
        let rows = if later_only { end } else { x.len() };
        for i in 0..rows {
            let from = if later_only { (i + 1).saturating_sub(first) } else { 0 };
            if from >= len {
                continue;
            }
            let run = &mut run[from..len];
            run.fill(0.0);
            for (k, value) in x.row(i).iter().enumerate() {
                let column = &columns[k * len + from..(k + 1) * len];
                for (sum, other) in run.iter_mut().zip(column) {
                    let d = value - other;
                    *sum += d * d;
                }
            }
            visit(run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cloud, points};
    use super::*;

    #[test]
    fn every_pair_is_visited_once_at_any_width() {
        for (n, m, dim) in [(3, 5, 1), (1100, 700, 2), (40, 50, 1500)] {
            let (x, y) = (cloud(n, dim, 1.0, 1), cloud(m, dim, 1.0, 2));
            let (x, y) = (points(&x, dim), points(&y, dim));
            let squared =
                |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
            let sorted = |mut v: Vec<f64>| {
                v.sort_by(f64::total_cmp);
                v
            };
            let mut visited = Vec::new();
            across(x, y, |run| visited.extend_from_slice(run));
            let plain = x.rows().flat_map(|a| y.rows().map(move |b| squared(a, b))).collect();
            assert_eq!(sorted(visited), sorted(plain));

            let mut visited = Vec::new();
            within(x, |run| visited.extend_from_slice(run));
            let later = |i: usize| (i + 1..n).map(move |j| squared(x.row(i), x.row(j)));
            assert_eq!(sorted(visited), sorted((0..n).flat_map(later).collect()));

            let mut count = 0;
            rows(x, y, |i, run| {
                let plain: Vec<f64> = y.rows().map(|b| squared(x.row(i), b)).collect();
                assert_eq!((i, &*run), (count, &plain[..]));
                count += 1;
            });
            assert_eq!(count, n);
        }
    }
}

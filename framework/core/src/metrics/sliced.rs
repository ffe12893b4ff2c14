//! The sliced 2-Wasserstein distance: the root of the mean, over unit directions, of the squared
//! 2-Wasserstein distance between the projections of two samples. In one dimension the optimal
//! matching is that of the sorted values, so it is cheap for large samples and defined for unequal
//! sizes. It never exceeds the exact distance.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Points, same_dim};
use crate::{Error, Result};

/// Sliced distance along given directions, which need not have unit length. The samples may differ
/// in size.
///
/// # Errors
/// [`Error::Runtime`] for points or directions of different dimensions, and for a direction of
/// length 0.
pub fn sliced_wasserstein2(x: Points, y: Points, directions: Points) -> Result<f64> {
    same_dim(x, y)?;
    same_dim(x, directions)?;
    let mut total = 0.0;
    for (i, direction) in directions.rows().enumerate() {
        let norm = dot(direction, direction).sqrt();
        if norm == 0.0 {
            return Err(Error::runtime(format!(
                "direction {i} of the sliced distance has no length"
            )));
        }
        let project = |points: Points| -> Vec<f64> {
            points.rows().map(|row| dot(row, direction) / norm).collect()
        };
        total += wasserstein2_1d_squared(project(x), project(y))?;
    }
    Ok((total / directions.len() as f64).sqrt())
}

/// Sliced distance along `count` directions drawn with `seed`.
///
/// # Errors
/// [`Error::Runtime`] for points of different dimensions, and where `count` is 0.
pub fn sliced_wasserstein2_drawn(x: Points, y: Points, count: usize, seed: u64) -> Result<f64> {
    let directions = random_directions(x.dim(), count, seed);
    sliced_wasserstein2(x, y, Points::new(&directions, x.dim())?)
}

/// `count` unit vectors of `dim` dimensions, one after the other, uniform on the sphere; the same
/// for a seed on every machine up to rounding.
pub fn random_directions(dim: usize, count: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Normal draws by the Box-Muller method.
    let mut normal = || {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
    };
    let mut directions = Vec::with_capacity(dim * count);
    for _ in 0..count {
        let (direction, norm) = loop {
            let direction: Vec<f64> = (0..dim).map(|_| normal()).collect();
            let norm = dot(&direction, &direction).sqrt();
            if dim == 0 || norm > 1e-6 {
                break (direction, norm);
            }
        };
        directions.extend(direction.iter().map(|v| v / norm));
    }
    directions
}

/// Squared 2-Wasserstein distance between two samples of numbers, which may differ in size: the
/// integral over \[0, 1\] of the squared difference of their quantile functions.
///
/// # Errors
/// [`Error::Runtime`] where a sample is empty.
pub fn wasserstein2_1d_squared(mut x: Vec<f64>, mut y: Vec<f64>) -> Result<f64> {
    if x.is_empty() || y.is_empty() {
        return Err(Error::runtime("there are no points to measure"));
    }
    x.sort_unstable_by(f64::total_cmp);
    y.sort_unstable_by(f64::total_cmp);
    if x.len() == y.len() {
        return Ok(dot_of_differences(&x, &y) / x.len() as f64);
    }
    // The integral over both step functions, cut at every step of either; positions are in units of
    // 1 / (n m), so that they are exact.
    let (n, m) = (x.len() as u128, y.len() as u128);
    let (mut i, mut j, mut at, mut total) = (0, 0, 0, 0.0);
    while i < x.len() && j < y.len() {
        let (end_x, end_y) = ((i as u128 + 1) * m, (j as u128 + 1) * n);
        let end = end_x.min(end_y);
        let d = x[i] - y[j];
        total += (end - at) as f64 * d * d;
        at = end;
        i += usize::from(end_x == end);
        j += usize::from(end_y == end);
    }
    Ok(total / (n * m) as f64)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn dot_of_differences(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, cloud, flat, golden, number, points, shuffled};
    use super::super::wasserstein2;
    use super::*;

    #[test]
    fn golden_values_hold() {
        let golden = golden();
        let pair = &golden["pairs"][0];
        let (x, y, directions) =
            (flat(&golden["X"]), flat(&golden["Y"]), flat(&golden["directions"]));
        let (x, y) = (points(&x, 2), points(&y, 2));
        let sliced = sliced_wasserstein2(x, y, points(&directions, 2)).unwrap();
        close(sliced, number(&pair["sliced_w2"]));
        let each = flat(&pair["sliced_w2_squared_per_direction"]);
        for (direction, expected) in directions.chunks(2).zip(each) {
            let along = |p: Points| p.rows().map(|row| dot(row, direction)).collect();
            close(wasserstein2_1d_squared(along(x), along(y)).unwrap(), expected);
        }
        let longer: Vec<f64> = directions.iter().map(|v| v * 3.0).collect();
        close(sliced_wasserstein2(x, y, points(&longer, 2)).unwrap(), sliced);
    }

    #[test]
    fn unequal_sizes_agree_with_repeating_every_point() {
        for (n, m) in [(1, 4), (5, 7), (6, 9), (8, 2)] {
            let (x, y) = (cloud(n, 1, 1.0, 1), cloud(m, 1, 2.0, 2));
            let repeated = |v: &[f64], times| -> Vec<f64> {
                v.iter().flat_map(|v| std::iter::repeat_n(*v, times)).collect()
            };
            let expected = wasserstein2_1d_squared(repeated(&x, m), repeated(&y, n)).unwrap();
            close(wasserstein2_1d_squared(x, y).unwrap(), expected);
        }
    }

    #[test]
    fn it_never_exceeds_the_exact_distance_and_equals_it_in_one_dimension() {
        for seed in 0..10 {
            let dim = 1 + seed as usize % 4;
            let x = cloud(60, dim, 1.0, seed);
            let y: Vec<f64> = cloud(60, dim, 2.0, seed + 100).iter().map(|v| v + 0.5).collect();
            let (x, y) = (points(&x, dim), points(&y, dim));
            let exact = wasserstein2(x, y).unwrap();
            let sliced = sliced_wasserstein2_drawn(x, y, 50, seed).unwrap();
            assert!(sliced <= exact * (1.0 + 1e-12), "{sliced} > {exact}");
            assert!(sliced > 0.1 * exact);
            if dim == 1 {
                close(sliced, exact);
            }
        }
    }

    #[test]
    fn a_sample_is_at_no_distance_from_itself_in_any_order() {
        let x = cloud(300, 3, 2.0, 3);
        let other = shuffled(&x, 3, 4);
        let sliced = sliced_wasserstein2_drawn(points(&x, 3), points(&other, 3), 20, 5).unwrap();
        assert_eq!(sliced, 0.0);
    }

    #[test]
    fn a_moved_cloud_is_as_far_as_the_projections_of_the_move() {
        let x = cloud(100, 2, 1.0, 6);
        let moved: Vec<f64> = x.iter().enumerate().map(|(i, v)| v + [3.0, -4.0][i % 2]).collect();
        let directions = [1.0, 0.0, 0.0, 1.0];
        let sliced = sliced_wasserstein2(points(&x, 2), points(&moved, 2), points(&directions, 2));
        close(sliced.unwrap(), (25.0_f64 / 2.0).sqrt());
    }

    #[test]
    fn drawn_directions_are_unit_vectors_in_every_direction_and_repeatable() {
        let directions = random_directions(3, 20_000, 1);
        assert_eq!(directions, random_directions(3, 20_000, 1));
        assert_ne!(directions[..3], random_directions(3, 1, 2));
        let mut moments = [[0.0; 3]; 4];
        for row in directions.chunks(3) {
            assert!((dot(row, row) - 1.0).abs() < 1e-12);
            for k in 0..3 {
                moments[3][k] += row[k] / 20_000.0;
                for l in 0..3 {
                    moments[k][l] += row[k] * row[l] / 20_000.0;
                }
            }
        }
        for k in 0..3 {
            assert!(moments[3][k].abs() < 0.02, "{moments:?}");
            for l in 0..3 {
                let expected = if k == l { 1.0 / 3.0 } else { 0.0 };
                assert!((moments[k][l] - expected).abs() < 0.02, "{moments:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_sliced_is_refused() {
        let values = [0.0; 6];
        let p = points(&values, 2);
        assert!(sliced_wasserstein2(p, points(&values, 3), p).is_err());
        assert!(sliced_wasserstein2(p, p, points(&[1.0], 1)).is_err());
        let message = sliced_wasserstein2(p, p, points(&[1.0, 0.0, 0.0, 0.0], 2)).unwrap_err();
        assert!(message.to_string().contains("direction 1"));
        assert!(sliced_wasserstein2_drawn(p, p, 0, 1).is_err());
        assert!(wasserstein2_1d_squared(vec![], vec![1.0]).is_err());
    }
}

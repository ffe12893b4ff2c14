use super::{Points, assign, same_dim};
use crate::{Error, Result};

/// Exact 2-Wasserstein distance between two samples of equal size: the root of the mean squared
/// distance under the optimal matching. Takes n² numbers of memory, which limits it to some 10,000
/// points.
///
/// # Errors
/// [`Error::Runtime`] for samples of different sizes or dimensions.
pub fn wasserstein2(x: Points, y: Points) -> Result<f64> {
    let matching = optimal_matching(x, y)?;
    let total: f64 = x.rows().zip(matching).map(|(row, j)| squared_distance(row, y.row(j))).sum();
    Ok((total / x.len() as f64).sqrt())
}

/// Matching with the least sum of squared distances: for each point of `x` its point of `y`.
///
/// # Errors
/// [`Error::Runtime`] for samples of different sizes or dimensions.
pub fn optimal_matching(x: Points, y: Points) -> Result<Vec<usize>> {
    same_dim(x, y)?;
    let n = x.len();
    if n != y.len() {
        return Err(Error::runtime(format!(
            "the exact Wasserstein distance needs equally many points on both sides, not {n} and {}: \
             leave some out, or take the sliced distance",
            y.len()
        )));
    }
    let (x, y) = aligned(x, y);
    let (x, y) = (x.chunks_exact(x.len() / n), y.chunks_exact(y.len() / n));
    let costs: Vec<f64> = x.flat_map(|a| y.clone().map(move |b| squared_distance(a, b))).collect();
    assign(&costs, n)
}

/// Copies of both samples that have the same optimal matching, which the solver finds up to twenty
/// times as fast. Matchings differ only in their sum of products x·y. A shift of one sample adds
/// the same to all of these sums, and scaling a dimension of one sample by a factor and of the
/// other by its inverse changes none. So both are centred and given equal spread.
fn aligned(x: Points, y: Points) -> (Vec<f64>, Vec<f64>) {
    let dim = x.dim();
    let (mut x, mut y) = (x.values().to_vec(), y.values().to_vec());
    for k in 0..dim {
        let (spread_x, spread_y) = (centre(&mut x, dim, k), centre(&mut y, dim, k));
        let stretch = (spread_y / spread_x).powf(0.25);
        if stretch.is_normal() {
            x.iter_mut().skip(k).step_by(dim).for_each(|v| *v *= stretch);
            y.iter_mut().skip(k).step_by(dim).for_each(|v| *v /= stretch);
        }
    }
    (x, y)
}

/// Centres dimension `k` and returns the sum of its squares.
fn centre(values: &mut [f64], dim: usize, k: usize) -> f64 {
    let n = (values.len() / dim) as f64;
    let mean = values.iter().skip(k).step_by(dim).sum::<f64>() / n;
    values
        .iter_mut()
        .skip(k)
        .step_by(dim)
        .map(|v| {
            *v -= mean;
            *v * *v
        })
        .sum()
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, cloud, flat, golden, number, points, shuffled};
    use super::*;

    #[test]
    fn golden_values_hold() {
        let golden = golden();
        let pair = &golden["pairs"][0];
        let (x, y) = (flat(&golden["X"]), flat(&golden["Y"]));
        let (x, y) = (points(&x, 2), points(&y, 2));
        let w2 = wasserstein2(x, y).unwrap();
        close(w2, number(&pair["w2"]));
        close(w2 * w2, number(&pair["w2_squared"]));
        let distance = |a: &[f64], b: &[f64]| squared_distance(a, b).sqrt();
        let costs: Vec<f64> =
            x.rows().flat_map(|a| y.rows().map(move |b| distance(a, b))).collect();
        let matching = assign(&costs, 7).unwrap();
        let w1: f64 = matching.iter().enumerate().map(|(i, j)| costs[i * 7 + j]).sum();
        close(w1 / 7.0, number(&pair["w1"]));
    }

    /// Every order of 0..n.
    fn orders(n: usize) -> Vec<Vec<usize>> {
        if n == 0 {
            return vec![vec![]];
        }
        let extend = |order: Vec<usize>| {
            (0..n).map(move |at| {
                let mut longer = order.clone();
                longer.insert(at, n - 1);
                longer
            })
        };
        orders(n - 1).into_iter().flat_map(extend).collect()
    }

    #[test]
    fn no_other_matching_is_better() {
        for (seed, dim, scale, shift) in [
            (1, 1, 1.0, 0.0),
            (2, 2, 0.01, 5.0),
            (3, 3, 7.0, -2.0),
            (4, 2, 0.0, 1.0),
            (5, 5, 1.0, 1e3),
        ] {
            let x = cloud(6, dim, 1.0, seed);
            let y: Vec<f64> = cloud(6, dim, scale, seed + 10).iter().map(|v| v + shift).collect();
            let (x, y) = (points(&x, dim), points(&y, dim));
            let cost = |order: &Vec<usize>| -> f64 {
                order.iter().enumerate().map(|(i, j)| squared_distance(x.row(i), y.row(*j))).sum()
            };
            let best = orders(6).iter().map(cost).fold(f64::INFINITY, f64::min);
            close(wasserstein2(x, y).unwrap(), (best / 6.0).sqrt());
        }
    }

    #[test]
    fn alignment_does_not_change_the_distance() {
        for (seed, scale) in [(1, 0.05), (2, 1.0), (3, 20.0)] {
            let x: Vec<f64> = cloud(80, 3, 1.0, seed).iter().map(|v| v * v * v).collect();
            let y: Vec<f64> = cloud(80, 3, scale, seed + 10).iter().map(|v| v + 3.0).collect();
            let (x, y) = (points(&x, 3), points(&y, 3));
            let costs: Vec<f64> =
                x.rows().flat_map(|a| y.rows().map(move |b| squared_distance(a, b))).collect();
            let matching = assign(&costs, 80).unwrap();
            let plain: f64 = matching.iter().enumerate().map(|(i, j)| costs[i * 80 + j]).sum();
            close(wasserstein2(x, y).unwrap(), (plain / 80.0).sqrt());
        }
    }

    #[test]
    fn a_sample_is_at_no_distance_from_itself_in_any_order() {
        for dim in [1, 2, 7] {
            let x = cloud(100, dim, 2.0, 3);
            let other = shuffled(&x, dim, 4);
            assert_eq!(wasserstein2(points(&x, dim), points(&other, dim)).unwrap(), 0.0);
        }
        let x = cloud(100, 2, 2.0, 3);
        let y = cloud(100, 2, 2.0, 4);
        assert!(wasserstein2(points(&x, 2), points(&y, 2)).unwrap() > 0.01);
    }

    #[test]
    fn a_moved_cloud_is_as_far_as_it_was_moved() {
        let x = cloud(200, 3, 1.0, 5);
        let shift = [0.3, -4.0, 12.0];
        let moved: Vec<f64> = x.iter().enumerate().map(|(i, v)| v + shift[i % 3]).collect();
        let moved = shuffled(&moved, 3, 6);
        let norm = shift.iter().map(|v| v * v).sum::<f64>().sqrt();
        close(wasserstein2(points(&x, 3), points(&moved, 3)).unwrap(), norm);
    }

    #[test]
    fn order_and_sides_do_not_matter() {
        let (x, y) = (cloud(120, 2, 1.0, 7), cloud(120, 2, 3.0, 8));
        let w2 = wasserstein2(points(&x, 2), points(&y, 2)).unwrap();
        close(wasserstein2(points(&shuffled(&x, 2, 9), 2), points(&y, 2)).unwrap(), w2);
        close(wasserstein2(points(&y, 2), points(&x, 2)).unwrap(), w2);
    }

    #[test]
    fn what_cannot_be_matched_is_refused() {
        let values = [0.0; 6];
        let message =
            wasserstein2(points(&values, 2), points(&values[..4], 2)).unwrap_err().to_string();
        assert!(message.contains("not 3 and 2"), "{message}");
        assert!(wasserstein2(points(&values, 2), points(&values, 3)).is_err());
        assert!(assign(&[0.0; 3], 2).is_err());
        assert!(assign(&[f64::NAN; 4], 2).is_err());
    }
}

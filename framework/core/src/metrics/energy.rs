use super::{Points, TwoSample, at_least_two, pairs, same_dim};
use crate::Result;

/// Energy distance 2 E|X-Y| - E|X-X'| - E|Y-Y'| with Euclidean norms, as V and U statistic. It is
/// zero only where the distributions agree. Some texts give that name to its square root, which is
/// not taken here. The samples may differ in size.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) for points of different dimensions, or fewer than two
/// on a side.
pub fn energy_distance(x: Points, y: Points) -> Result<TwoSample> {
    same_dim(x, y)?;
    at_least_two(x, y, "the energy distance")?;
    let (mut within_x, mut within_y, mut across) = (0.0, 0.0, 0.0);
    pairs::within(x, |run| within_x += distances(run));
    pairs::within(y, |run| within_y += distances(run));
    pairs::across(x, y, |run| across += distances(run));
    Ok(TwoSample::new((within_x, x.len()), (within_y, y.len()), across, 0.0, -1.0))
}

fn distances(squared: &[f64]) -> f64 {
    // Four partial sums: faster, and more accurate than one.
    let mut sums = [0.0; 4];
    let (fours, rest) = squared.as_chunks::<4>();
    for four in fours {
        for (sum, s) in sums.iter_mut().zip(four) {
            *sum += s.sqrt();
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|s| s.sqrt()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, cloud, flat, golden, number, points, shuffled};
    use super::*;

    #[test]
    fn golden_values_hold() {
        let golden = golden();
        let (x, y) = (flat(&golden["X"]), flat(&golden["Y"]));
        let energy = energy_distance(points(&x, 2), points(&y, 2)).unwrap();
        close(energy.v, number(&golden["pairs"][0]["energy_v"]));
        close(energy.u, number(&golden["pairs"][0]["energy_u"]));
    }

    #[test]
    fn unequal_sizes_agree_with_the_definition() {
        let (x, y) = (cloud(9, 3, 1.0, 1), cloud(14, 3, 2.0, 2));
        let (x, y) = (points(&x, 3), points(&y, 3));
        let sum = |a: Points, b: Points| -> f64 {
            let distance = |p: &[f64], q: &[f64]| {
                p.iter().zip(q).map(|(p, q)| (p - q).powi(2)).sum::<f64>().sqrt()
            };
            a.rows().map(|p| b.rows().map(|q| distance(p, q)).sum::<f64>()).sum()
        };
        let across = 2.0 * sum(x, y) / (9.0 * 14.0);
        let energy = energy_distance(x, y).unwrap();
        close(energy.v, across - sum(x, x) / 81.0 - sum(y, y) / 196.0);
        close(energy.u, across - sum(x, x) / 72.0 - sum(y, y) / 182.0);
    }

    #[test]
    fn a_sample_is_at_no_distance_from_itself_in_any_order() {
        for dim in [1, 2, 7] {
            let x = cloud(300, dim, 2.0, 3);
            let other = shuffled(&x, dim, 4);
            let energy = energy_distance(points(&x, dim), points(&other, dim)).unwrap();
            assert!((0.0..1e-13).contains(&energy.v), "{energy:?}");
            assert!(energy.u < 0.0);
        }
    }

    #[test]
    fn order_and_a_common_shift_do_not_matter_but_a_shift_of_one_side_does() {
        let (x, y) = (cloud(200, 2, 1.0, 5), cloud(150, 2, 1.0, 6));
        let energy = energy_distance(points(&x, 2), points(&y, 2)).unwrap();
        let shift = |v: &[f64]| v.iter().map(|v| v + 4.0).collect::<Vec<_>>();
        let both = energy_distance(points(&shift(&x), 2), points(&shift(&y), 2)).unwrap();
        assert!((both.v - energy.v).abs() < 1e-12);
        let mixed = energy_distance(points(&shuffled(&x, 2, 7), 2), points(&y, 2)).unwrap();
        assert!((mixed.u - energy.u).abs() < 1e-12);
        let swapped = energy_distance(points(&y, 2), points(&x, 2)).unwrap();
        assert!((swapped.v - energy.v).abs() < 1e-12);
        let shifted = energy_distance(points(&shift(&x), 2), points(&y, 2)).unwrap();
        assert!(shifted.v > 1.0 && shifted.u > 1.0);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let values = [0.0; 6];
        assert!(energy_distance(points(&values, 2), points(&values, 3)).is_err());
        assert!(energy_distance(points(&values, 6), points(&values, 6)).is_err());
    }
}

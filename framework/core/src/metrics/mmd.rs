use super::{Points, TwoSample, at_least_two, pairs, same_dim};
use crate::{Error, Result};

/// Squared maximum mean discrepancy (MMD²) between two samples, as V statistic (biased, never
/// negative) and U statistic (unbiased). The kernel is the mean over `bandwidths` s of the Gaussian
/// kernels exp(-r² / (2 s²)). The samples may differ in size.
///
/// # Errors
/// [`Error::Runtime`] for points of different dimensions, fewer than two points on a side, or
/// bandwidths that are missing, not finite or not above 0.
pub fn mmd2(x: Points, y: Points, bandwidths: &[f64]) -> Result<TwoSample> {
    same_dim(x, y)?;
    at_least_two(x, y, "the maximum mean discrepancy")?;
    if bandwidths.is_empty() {
        return Err(Error::runtime("the maximum mean discrepancy needs at least one bandwidth"));
    }
    if let Some(bad) = bandwidths.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return Err(Error::runtime(format!("a kernel bandwidth must be above zero, not {bad}")));
    }
    let rates: Vec<f64> = bandwidths.iter().map(|s| -0.5 / s / s).collect();
    let kernel = |run: &[f64]| -> f64 {
        let total = |rate: &f64| run.iter().map(|r2| (r2 * rate).exp()).sum::<f64>();
        rates.iter().map(total).sum::<f64>() / rates.len() as f64
    };
    let (mut within_x, mut within_y, mut across) = (0.0, 0.0, 0.0);
    pairs::within(x, |run| within_x += kernel(run));
    pairs::within(y, |run| within_y += kernel(run));
    pairs::across(x, y, |run| across += kernel(run));
    Ok(TwoSample::new((within_x, x.len()), (within_y, y.len()), across, 1.0, 1.0))
}

/// Bandwidth by the median heuristic: the median distance between two different points of the
/// pooled samples (the mean of the middle two where their number is even). It holds the distances
/// of all pairs in memory.
///
/// # Errors
/// [`Error::Runtime`] for points of different dimensions, for more than 16384 points together, and
/// where the median is 0.
pub fn median_bandwidth(x: Points, y: Points) -> Result<f64> {
    same_dim(x, y)?;
    let pooled = [x.values(), y.values()].concat();
    let pooled = Points::new(&pooled, x.dim())?;
    if pooled.len() > 1 << 14 {
        return Err(Error::runtime(format!(
            "the median heuristic is for at most {} points on both sides together, not {}: give a \
             kernel bandwidth, or find one with fewer points",
            1 << 14,
            pooled.len()
        )));
    }
    let mut squared = Vec::with_capacity(pooled.len() * (pooled.len() - 1) / 2);
    pairs::within(pooled, |run| squared.extend_from_slice(run));
    let (middle, even) = (squared.len() / 2, squared.len().is_multiple_of(2));
    let (below, upper, _) = squared.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = if even { below.iter().copied().fold(0.0, f64::max) } else { *upper };
    let median = 0.5 * (lower.sqrt() + upper.sqrt());
    if median > 0.0 {
        return Ok(median);
    }
    Err(Error::runtime(
        "at least half of the pairs of points coincide, so the median heuristic gives no kernel bandwidth: \
         give one",
    ))
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
        let mmd = mmd2(x, y, &flat(&pair["mmd_bandwidths"])).unwrap();
        close(mmd.v, number(&pair["mmd2_biased"]));
        close(mmd.u, number(&pair["mmd2_unbiased"]));
        let median = median_bandwidth(x, y).unwrap();
        close(median, number(&pair["median_pairwise_distance_pooled"]));
        close(mmd2(x, y, &[median]).unwrap().v, number(&pair["mmd2_biased_median_bandwidth"]));
    }

    #[test]
    fn the_median_is_that_of_the_sorted_distances() {
        for (n, m) in [(1, 1), (1, 2), (2, 2), (5, 4), (30, 41)] {
            let (x, y) = (cloud(n, 3, 1.0, 1), cloud(m, 3, 5.0, 2));
            let pooled = [&x[..], &y[..]].concat();
            let mut all = Vec::new();
            pairs::within(points(&pooled, 3), |run| all.extend(run.iter().map(|r2| r2.sqrt())));
            all.sort_by(f64::total_cmp);
            let expected = 0.5 * (all[(all.len() - 1) / 2] + all[all.len() / 2]);
            close(median_bandwidth(points(&x, 3), points(&y, 3)).unwrap(), expected);
        }
    }

    #[test]
    fn a_sample_is_at_no_distance_from_itself_in_any_order() {
        let x = cloud(300, 2, 2.0, 3);
        let other = shuffled(&x, 2, 4);
        let mmd = mmd2(points(&x, 2), points(&other, 2), &[0.5, 2.0]).unwrap();
        assert!((0.0..1e-13).contains(&mmd.v), "{mmd:?}");
        assert!(mmd.u < 0.0);
    }

    #[test]
    fn order_and_a_common_shift_do_not_matter_but_a_shift_of_one_side_does() {
        let (x, y) = (cloud(200, 2, 1.0, 5), cloud(150, 2, 1.0, 6));
        let mmd = mmd2(points(&x, 2), points(&y, 2), &[1.0]).unwrap();
        let shift = |v: &[f64]| v.iter().map(|v| v + 4.0).collect::<Vec<_>>();
        let both = mmd2(points(&shift(&x), 2), points(&shift(&y), 2), &[1.0]).unwrap();
        assert!((both.v - mmd.v).abs() < 1e-12);
        let mixed = mmd2(points(&shuffled(&x, 2, 7), 2), points(&y, 2), &[1.0]).unwrap();
        assert!((mixed.u - mmd.u).abs() < 1e-12);
        let shifted = mmd2(points(&shift(&x), 2), points(&y, 2), &[1.0]).unwrap();
        assert!(shifted.v > 0.5 && shifted.u > 0.5);
    }

    #[test]
    fn impossible_bandwidths_are_refused() {
        let values = [0.0; 6];
        let same = points(&values, 2);
        for bandwidths in [&[][..], &[0.0], &[1.0, -1.0], &[f64::NAN], &[f64::INFINITY]] {
            assert!(mmd2(same, same, bandwidths).is_err());
        }
        let many = vec![0.0; 9000];
        let many = points(&many, 1);
        assert!(median_bandwidth(many, many).unwrap_err().to_string().contains("not 18000"));
        assert!(median_bandwidth(same, same).unwrap_err().to_string().contains("coincide"));
    }
}

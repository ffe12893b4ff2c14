//! Statistics for pictures: quantiles, ranges that a few outliers do not widen, and histograms.

use crate::metrics::mean;

/// `true` if a value can be drawn and calculated with: it and its square are finite.
pub(super) fn usable(v: f64) -> bool {
    v.abs() < 1e100
}

/// The usable values, ascending.
pub(super) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut kept: Vec<f64> = values.into_iter().filter(|v| usable(*v)).collect();
    kept.sort_by(f64::total_cmp);
    kept
}

/// The `q` quantile of ascending values, with linear interpolation; NaN of none.
pub(super) fn quantile(ascending: &[f64], q: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (ascending[at.floor() as usize], ascending[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Mean, median, and 5 % and 95 % quantiles of the finite values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub mean: f64,
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let v = sorted(values);
        Spread {
            mean: mean(&v),
            median: quantile(&v, 0.5),
            low: quantile(&v, 0.05),
            high: quantile(&v, 0.95),
        }
    }
}

/// Quartiles, and 5 % and 95 % quantiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quartiles {
    pub low: f64,
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
    pub high: f64,
}

impl Quartiles {
    /// Quantiles of the usable values; `None` if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let v = sorted(values);
        let [low, lower, median, upper, high] =
            [0.05, 0.25, 0.5, 0.75, 0.95].map(|q| quantile(&v, q));
        (!v.is_empty()).then_some(Quartiles { low, lower, median, upper, high })
    }
}

/// The range of the finite values without outliers. Outliers are values farther outside the central
/// 98 % than these are wide; of fewer than 20 values, there are none.
pub(super) fn robust_range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let v = sorted(values);
    let (first, last) = (*v.first()?, *v.last()?);
    if v.len() < 20 {
        return Some((first, last));
    }
    let skip = v.len().div_ceil(100);
    let (a, b) = (v[skip], v[v.len() - 1 - skip]);
    if b <= a {
        return Some((first, last));
    }
    within(&v, (a - (b - a), b + (b - a)))
}

/// The range of the values within `limits`; `None` if there are none.
pub(super) fn within(values: &[f64], limits: (f64, f64)) -> Option<(f64, f64)> {
    let inside = values.iter().copied().filter(|v| *v >= limits.0 && *v <= limits.1);
    inside.fold(None, |range, v| union(range, Some((v, v))))
}

/// The smallest range that holds both.
pub(super) fn union(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// The range with a margin of `by` times its width on both sides; a range without width gets one.
pub(super) fn padded(range: Option<(f64, f64)>, by: f64) -> (f64, f64) {
    let (lo, hi) = range.unwrap_or((0.0, 1.0));
    let width = hi - lo;
    if width <= 1e-9 * lo.abs().max(hi.abs()) || width < 1e-100 {
        let half = if lo.abs() < 1e-100 { 0.5 } else { 0.1 * lo.abs() };
        return (lo - half, hi + half);
    }
    (lo - by * width, hi + by * width)
}

/// At most `most` indices of `0..n`, ascending: a fixed, evenly mixed sample.
pub(super) fn thinned(n: usize, most: usize) -> Vec<usize> {
    let mut chosen = mixed(n);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}

/// The indices `0..n` in a fixed mixed order.
pub(super) fn mixed(n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|i| (*i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29));
    order
}

/// Edges of equal bins over `range`, by the rule of Freedman and Diaconis for the `ascending`
/// values with narrower bins, so that modes stay separate.
pub(super) fn bin_edges(ascending: &[f64], range: (f64, f64)) -> Vec<f64> {
    let iqr = quantile(ascending, 0.75) - quantile(ascending, 0.25);
    let width = 1.2 * iqr / (ascending.len().max(1) as f64).cbrt();
    let bins = if width > 0.0 { (range.1 - range.0) / width } else { 12.0 };
    let bins = bins.ceil().clamp(8.0, 64.0) as usize;
    (0..=bins).map(|i| range.0 + (range.1 - range.0) * i as f64 / bins as f64).collect()
}

/// The density in each bin: the share of all finite values that it holds, per unit.
pub(super) fn density(values: impl IntoIterator<Item = f64>, edges: &[f64]) -> Vec<f64> {
    let bins = edges.len().saturating_sub(1);
    let mut counts = vec![0.0; bins];
    let mut total = 0.0;
    let (Some(&lo), Some(&hi)) = (edges.first(), edges.last()) else {
        return counts;
    };
    for v in values.into_iter().filter(|v| v.is_finite()) {
        total += 1.0;
        if v >= lo && v <= hi {
            let bin = ((v - lo) / (hi - lo) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1.0;
        }
    }
    let width = (hi - lo) / bins as f64;
    counts.iter().map(|c| if total > 0.0 { c / (total * width) } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_strays_do_not_blow_up_the_range() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        values.extend([1e6, -1e6, f64::NAN, f64::INFINITY]);
        let (lo, hi) = robust_range(values).unwrap();
        assert_eq!((lo, hi), (0.0, 0.999));
        assert_eq!(robust_range([f64::NAN]), None);
        assert_eq!(padded(Some((2.0, 2.0)), 0.1), (1.8, 2.2));
    }

    #[test]
    fn a_density_sums_to_one() {
        let v = sorted((0..500).map(|i| (f64::from(i) * 0.7).sin()));
        let edges = bin_edges(&v, (-1.0, 1.0));
        let sum: f64 = density(v, &edges).iter().map(|d| d * (edges[1] - edges[0])).sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
}

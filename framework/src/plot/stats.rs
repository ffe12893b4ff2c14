//! The little statistics that pictures need: quantiles, ranges that a few stray points do not blow up,
//! histograms, and the plane in which points of any dimension are shown.

use super::Points;
use super::style::fixed;

/// The finite values, ascending.
pub(super) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut kept: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    kept.sort_by(f64::total_cmp);
    kept
}

/// The `q` quantile of ascending values, with interpolation; not a number where there are none.
pub(super) fn quantile(ascending: &[f64], q: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (
        ascending[at.floor() as usize],
        ascending[at.ceil() as usize],
    );
    low + (high - low) * at.fract()
}

/// The mean of the values; not a number where there are none.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean, the median and the 5 % and 95 % quantiles of the finite values.
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

/// The range of the finite values, unless a few of them lie far outside the rest: those are left out.
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

/// The range of those values that lie within `limits`.
pub(super) fn within(values: &[f64], limits: (f64, f64)) -> Option<(f64, f64)> {
    let inside = values
        .iter()
        .copied()
        .filter(|v| *v >= limits.0 && *v <= limits.1);
    inside.fold(None, |range, v| union(range, Some((v, v))))
}

/// The smallest range around both.
pub(super) fn union(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// A little more than the range, and never an empty one.
pub(super) fn padded(range: Option<(f64, f64)>, by: f64) -> (f64, f64) {
    let (lo, hi) = range.unwrap_or((0.0, 1.0));
    let width = hi - lo;
    if width <= 1e-9 * lo.abs().max(hi.abs()) || width == 0.0 {
        let half = if lo == 0.0 { 0.5 } else { 0.1 * lo.abs() };
        return (lo - half, hi + half);
    }
    (lo - by * width, hi + by * width)
}

/// At most `most` indices of `0..n`, ascending: a fixed sample without regard to their order.
pub(super) fn thinned(n: usize, most: usize) -> Vec<usize> {
    let mut chosen = mixed(n);
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen
}

/// The indices `0..n` in an order that mixes them, always the same one.
pub(super) fn mixed(n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|i| {
        (*i as u64 + 1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29)
    });
    order
}

/// Edges of equal bins over `range`, as many as suits `ascending` values: somewhat
/// more than Freedman and Diaconis would take, so that modes stay apart.
pub(super) fn bin_edges(ascending: &[f64], range: (f64, f64)) -> Vec<f64> {
    let iqr = quantile(ascending, 0.75) - quantile(ascending, 0.25);
    let width = 1.2 * iqr / (ascending.len().max(1) as f64).cbrt();
    let wanted = if width > 0.0 {
        (range.1 - range.0) / width
    } else {
        12.0
    };
    let bins = wanted.ceil().clamp(8.0, 64.0) as usize;
    (0..=bins)
        .map(|i| range.0 + (range.1 - range.0) * i as f64 / bins as f64)
        .collect()
}

/// The density of the values in each bin: shares of all finite values per unit.
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
    counts
        .iter()
        .map(|c| {
            if total > 0.0 {
                c / (total * width)
            } else {
                0.0
            }
        })
        .collect()
}

/// How points of two or more dimensions are laid flat.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    mean: Vec<f64>,
    axes: Option<[Vec<f64>; 2]>,
    /// What the horizontal and the vertical coordinate are.
    pub labels: [String; 2],
}

impl Plane {
    /// The coordinates themselves for two dimensions, the first two principal components for more.
    /// `name` is the letter of the coordinates.
    pub fn of(reference: &Points, name: &str) -> Self {
        let d = reference.dim;
        if d <= 2 {
            return Plane {
                mean: vec![0.0; d],
                axes: None,
                labels: [format!("{name}₁"), format!("{name}₂")],
            };
        }
        let rows: Vec<&[f64]> = thinned(reference.len(), 4000)
            .into_iter()
            .map(|i| reference.row(i))
            .filter(|row| row.iter().all(|v| v.is_finite()))
            .collect();
        let n = rows.len().max(1) as f64;
        let mut centre = vec![0.0; d];
        for row in &rows {
            centre.iter_mut().zip(*row).for_each(|(m, v)| *m += v / n);
        }
        let spread_along = |axes: &[Vec<f64>; 2]| -> [Vec<f64>; 2] {
            let mut out = [vec![0.0; d], vec![0.0; d]];
            for row in &rows {
                for (axis, sum) in axes.iter().zip(out.iter_mut()) {
                    let along: f64 = row
                        .iter()
                        .zip(&centre)
                        .zip(axis)
                        .map(|((v, m), a)| (v - m) * a)
                        .sum();
                    sum.iter_mut()
                        .zip(*row)
                        .zip(&centre)
                        .for_each(|((s, v), m)| *s += along * (v - m) / n);
                }
            }
            out
        };
        let total: f64 = rows
            .iter()
            .flat_map(|r| r.iter().zip(&centre))
            .map(|(v, m)| (v - m).powi(2) / n)
            .sum();
        // orthogonal iteration from a fixed start
        let mut axes = [0.7, 1.9].map(|f| {
            (0..d)
                .map(|i| (f * (i as f64 + 1.0)).sin())
                .collect::<Vec<f64>>()
        });
        orthonormalise(&mut axes);
        for _ in 0..60 {
            axes = spread_along(&axes);
            orthonormalise(&mut axes);
        }
        let spread = spread_along(&axes);
        let share = |i: usize| {
            let along: f64 = spread[i].iter().zip(&axes[i]).map(|(s, a)| s * a).sum();
            if total > 0.0 {
                100.0 * along / total
            } else {
                0.0
            }
        };
        let labels = [0, 1].map(|i| {
            format!(
                "principal component {} ({} % of variance)",
                i + 1,
                fixed(share(i), 0)
            )
        });
        Plane {
            mean: centre,
            axes: Some(axes),
            labels,
        }
    }

    /// Where the points lie in the plane.
    pub fn flatten(&self, points: &Points) -> Vec<(f64, f64)> {
        (0..points.len())
            .map(|i| self.place(points.row(i)))
            .collect()
    }

    fn place(&self, row: &[f64]) -> (f64, f64) {
        match &self.axes {
            None => (
                row.first().copied().unwrap_or(f64::NAN),
                row.get(1).copied().unwrap_or(f64::NAN),
            ),
            Some(axes) => {
                let along = |axis: &[f64]| {
                    row.iter()
                        .zip(&self.mean)
                        .zip(axis)
                        .map(|((v, m), a)| (v - m) * a)
                        .sum()
                };
                (along(&axes[0]), along(&axes[1]))
            }
        }
    }
}

fn orthonormalise(axes: &mut [Vec<f64>; 2]) {
    let [first, second] = axes;
    normalise(first);
    let along: f64 = first.iter().zip(second.iter()).map(|(a, b)| a * b).sum();
    second
        .iter_mut()
        .zip(first.iter())
        .for_each(|(b, a)| *b -= along * a);
    normalise(second);
    // which way an axis points is arbitrary: its largest part is made positive
    for axis in [first, second] {
        let largest = axis
            .iter()
            .copied()
            .fold(0.0, |m: f64, v| if v.abs() > m.abs() { v } else { m });
        if largest < 0.0 {
            axis.iter_mut().for_each(|v| *v = -*v);
        }
    }
}

fn normalise(axis: &mut [f64]) {
    let norm = axis.iter().map(|v| v * v).sum::<f64>().sqrt();
    if norm > 1e-300 {
        axis.iter_mut().for_each(|v| *v /= norm);
    }
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
    fn principal_components_find_the_long_directions() {
        let values: Vec<f64> = (0..200)
            .flat_map(|i| {
                let (a, b) = (
                    (f64::from(i) * 0.37).sin() * 5.0,
                    (f64::from(i) * 1.71).sin() * 2.0,
                );
                [a, 0.01 * b, a, b]
            })
            .collect();
        let plane = Plane::of(&Points { values, dim: 4 }, "x");
        let axes = plane.axes.unwrap();
        assert!(
            (axes[0][0] - 0.5f64.sqrt()).abs() < 0.02 && (axes[1][3] - 1.0).abs() < 0.02,
            "{axes:?}"
        );
        assert!(plane.labels[0].contains("% of variance"));
    }

    #[test]
    fn a_density_sums_to_one() {
        let v = sorted((0..500).map(|i| (f64::from(i) * 0.7).sin()));
        let edges = bin_edges(&v, (-1.0, 1.0));
        let sum: f64 = density(v, &edges)
            .iter()
            .map(|d| d * (edges[1] - edges[0]))
            .sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
}

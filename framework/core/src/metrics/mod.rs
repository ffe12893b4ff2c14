//! Metrics of predictions and samples. Each is a pure function in double precision on the CPU,
//! without LibTorch, so that a number can be recomputed anywhere. Points are rows of a flat slice,
//! checked once in [`Points::new`].

mod assignment;
mod calibration;
mod classification;
mod crps;
mod direction;
mod energy;
mod intervals;
mod manifold;
mod mmd;
mod moments;
mod neighbours;
mod pairs;
mod point_set;
mod regression;
mod sliced;
pub mod table;
mod wasserstein;

pub use assignment::assign;
pub use calibration::{CALIBRATION_BINS, expected_calibration_error};
pub use classification::{accuracy, confusion_counts, cross_entropy, error_rate, predictions};
pub use crps::{Crps, crps};
pub use direction::{Better, EXACT_POINTS};
pub use energy::energy_distance;
pub use intervals::{QuantileRule, interval_coverage};
pub use manifold::{
    DENSITY_K, DensityCoverage, Manifold, PRECISION_K, PrecisionRecall, density_coverage,
    precision_recall,
};
pub use mmd::{median_bandwidth, mmd2};
pub use moments::{mean, mean_and_deviation};
pub use neighbours::{NearestNeighbours, REFEREE_K, class_shares};
pub(crate) use point_set::Memo;
pub use point_set::{PAIR_POINTS, PointSet};
pub use regression::{VarianceExplained, mae, mse, variance_explained};
pub use sliced::{
    random_directions, sliced_wasserstein2, sliced_wasserstein2_drawn, wasserstein2_1d_squared,
};
pub use wasserstein::{optimal_matching, wasserstein2};

use crate::{Error, Result};

/// Largest absolute value accepted: the square of a larger one may overflow.
const LARGEST: f64 = 1e150;

/// Points of `dim` dimensions in a flat slice, row by row. Every value is finite.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    values: &'a [f64],
    dim: usize,
}

impl<'a> Points<'a> {
    /// Wraps rows of `dim` values each.
    ///
    /// # Errors
    /// [`Error::Runtime`] where `dim` is 0, there is no row, the number of values is not a multiple
    /// of `dim`, or a value is not finite or above 1e150 in absolute value.
    pub fn new(values: &'a [f64], dim: usize) -> Result<Self> {
        if dim == 0 {
            return Err(Error::runtime("points need at least one dimension"));
        }
        if values.is_empty() {
            return Err(Error::runtime("there are no points to measure"));
        }
        if !values.len().is_multiple_of(dim) {
            return Err(Error::runtime(format!(
                "{} values do not divide into points of {dim} dimensions",
                values.len()
            )));
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite() || v.abs() > LARGEST) {
            return Err(Error::runtime(format!(
                "dimension {} of point {} is {:e}: metrics need finite values",
                at % dim,
                at / dim,
                values[at]
            )));
        }
        Ok(Points { values, dim })
    }

    /// Number of points, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, row by row.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// Point `i`.
    pub fn row(&self, i: usize) -> &'a [f64] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The first `n` points, or all where there are fewer; at least one.
    pub fn first(&self, n: usize) -> Points<'a> {
        let n = n.clamp(1, self.len());
        Points { values: &self.values[..n * self.dim], dim: self.dim }
    }

    /// Iterator over the points in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'a, f64> {
        self.values.chunks_exact(self.dim)
    }
}

/// V and U statistic, the two usual estimates of a two-sample statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoSample {
    /// V statistic: means over all n² pairs of a sample. Biased upwards, never negative, zero for
    /// identical samples.
    pub v: f64,
    /// U statistic: means over the n(n-1) pairs of different points. Unbiased, so it may be
    /// negative where the distributions agree.
    pub u: f64,
}

impl TwoSample {
    /// `sign` · (mean within x + mean within y - 2 · mean across), from sums over unordered pairs
    /// of different points; `diagonal` is the statistic of a point with itself.
    fn new(x: (f64, usize), y: (f64, usize), across: f64, diagonal: f64, sign: f64) -> Self {
        let (n, m) = (x.1 as f64, y.1 as f64);
        let across = 2.0 * across / (n * m);
        let biased = |sum: f64, n: f64| (2.0 * sum + n * diagonal) / (n * n);
        let unbiased = |sum: f64, n: f64| 2.0 * sum / (n * (n - 1.0));
        TwoSample {
            // A negative value can only be rounding error.
            v: (sign * (biased(x.0, n) + biased(y.0, m) - across)).max(0.0),
            u: sign * (unbiased(x.0, n) + unbiased(y.0, m) - across),
        }
    }
}

fn same_dim(x: Points, y: Points) -> Result<()> {
    if x.dim == y.dim {
        return Ok(());
    }
    Err(Error::runtime(format!(
        "the points to compare have {} and {} dimensions; both need the same",
        x.dim, y.dim
    )))
}

fn at_least_two(x: Points, y: Points, what: &str) -> Result<()> {
    if x.len() >= 2 && y.len() >= 2 {
        return Ok(());
    }
    Err(Error::runtime(format!(
        "{what} needs at least two points on each side, not {} and {}",
        x.len(),
        y.len()
    )))
}

#[cfg(test)]
mod testing {
    use super::Points;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    pub fn golden() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../../tests/golden/metrics.json")).unwrap()
    }

    /// Numbers of a JSON array of any depth, row by row.
    pub fn flat(value: &serde_json::Value) -> Vec<f64> {
        match value {
            serde_json::Value::Array(items) => items.iter().flat_map(flat).collect(),
            number => vec![number.as_f64().unwrap()],
        }
    }

    pub fn number(value: &serde_json::Value) -> f64 {
        value.as_f64().unwrap()
    }

    #[track_caller]
    pub fn close(actual: f64, expected: f64) {
        let tolerance = 1e-10 * expected.abs();
        assert!((actual - expected).abs() <= tolerance, "{actual:e} is not {expected:e}");
    }

    /// Values uniform in [-scale, scale).
    pub fn cloud(n: usize, dim: usize, scale: f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n * dim).map(|_| scale * (2.0 * rng.random::<f64>() - 1.0)).collect()
    }

    /// Normal draws by the Box-Muller method.
    pub fn normal(n: usize, mean: f64, deviation: f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || {
            let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
            mean + deviation * radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
        };
        (0..n).map(|_| draw()).collect()
    }

    /// Shuffles the points.
    pub fn shuffled(values: &[f64], dim: usize, seed: u64) -> Vec<f64> {
        use rand::seq::SliceRandom;
        let mut rows: Vec<&[f64]> = values.chunks(dim).collect();
        rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        rows.concat()
    }

    pub fn points(values: &[f64], dim: usize) -> Points<'_> {
        Points::new(values, dim).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_are_no_points_are_refused() {
        let message = |values: &[f64], dim| Points::new(values, dim).unwrap_err().to_string();
        assert!(message(&[1.0], 0).contains("at least one dimension"));
        assert!(message(&[], 2).contains("no points"));
        assert!(message(&[1.0, 2.0, 3.0], 2).contains("do not divide"));
        assert!(message(&[1.0, 2.0, 3.0, f64::NAN], 2).contains("dimension 1 of point 1 is NaN"));
        assert!(message(&[1.0, 2e150], 2).contains("dimension 1 of point 0"));
    }

    #[test]
    fn rows_are_where_they_should_be() {
        let points = Points::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap();
        assert_eq!((points.len(), points.dim()), (3, 2));
        assert_eq!(points.row(1), [3.0, 4.0]);
        let first = |n| points.first(n).values().to_vec();
        assert_eq!((first(0).len(), first(2), first(9).len()), (2, vec![1.0, 2.0, 3.0, 4.0], 6));
        assert_eq!(points.rows().next_back(), Some(&[5.0, 6.0][..]));
    }
}

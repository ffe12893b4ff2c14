use super::encoding::Features;
use std::collections::HashMap;

/// Centre and scale of each entry of encoded rows.
pub struct Scaling(Vec<(f64, f64)>);

impl Scaling {
    /// Median, and distance between the quartiles.
    pub fn robust(rows: &Features) -> Self {
        Self::of(rows, |sorted| {
            let quantile = |level: f64| {
                let place = level * (sorted.len() - 1) as f64;
                let (low, next) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
                low + place.fract() * (next - low)
            };
            (quantile(0.5), quantile(0.75) - quantile(0.25))
        })
    }

    /// Mean and standard deviation.
    pub fn standard(rows: &Features) -> Self {
        Self::of(rows, |sorted| {
            let n = sorted.len() as f64;
            let mean = sorted.iter().sum::<f64>() / n;
            (mean, (sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
        })
    }

    /// Centre and scale that `measure` gives of the sorted values of each entry; a scale of 0
    /// becomes 1.
    fn of(rows: &Features, measure: impl Fn(&[f64]) -> (f64, f64)) -> Self {
        let mut counts = vec![0; rows.width];
        rows.ones.iter().for_each(|entry| counts[*entry] += 1);
        let mut sorted = vec![0.0; rows.rows];
        let usable = |(centre, scale): (f64, f64)| {
            (centre, if scale < 10.0 * f64::EPSILON { 1.0 } else { scale })
        };
        let mut all = Vec::with_capacity(rows.width);
        for entry in 0..rows.numbers {
            let own = rows.values.iter().skip(entry).step_by(rows.numbers);
            sorted.iter_mut().zip(own).for_each(|(sorted, own)| *sorted = *own);
            sorted.sort_unstable_by(f64::total_cmp);
            all.push(usable(measure(&sorted)));
        }
        // Categories of equally many rows, of which there may be many, have the same measures.
        let mut known = HashMap::new();
        for ones in &counts[rows.numbers..] {
            all.push(*known.entry(*ones).or_insert_with(|| {
                let zeros = rows.rows - ones;
                sorted[..zeros].fill(0.0);
                sorted[zeros..].fill(1.0);
                usable(measure(&sorted))
            }));
        }
        Self(all)
    }
}

/// The matrix of a linear model: scaled entries of rows, and 1 for the intercept. Zeros and ones of
/// categories are not stored: a product takes as long as the rows have numbers and categories.
pub struct Design<'a> {
    rows: &'a Features,
    /// Scaled numbers, row by row.
    numbers: Vec<f64>,
    scaling: &'a [(f64, f64)],
}

impl<'a> Design<'a> {
    /// The matrix of these rows.
    pub fn new(rows: &'a Features, scaling: &'a Scaling) -> Self {
        let scaling = &scaling.0[..];
        let scaled = |row: usize| {
            let row = rows.values_of(row).iter().zip(scaling);
            row.map(|(value, (centre, scale))| (value - centre) / scale)
        };
        Self { rows, numbers: (0..rows.rows).flat_map(scaled).collect(), scaling }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows.rows
    }

    /// Number of weights, the last of which is the intercept.
    pub fn weights(&self) -> usize {
        self.rows.width + 1
    }

    /// The matrix times `weights`.
    pub fn times(&self, weights: &[f64]) -> Vec<f64> {
        let mut weights = weights.to_vec();
        let mut intercept = weights.pop().unwrap_or_default();
        for (weight, (centre, scale)) in self.categories(&mut weights) {
            *weight /= scale;
            intercept -= *weight * centre;
        }
        let row = |i: usize| {
            let numbers = self.numbers_of(i).iter().zip(&weights).map(|(v, w)| v * w);
            let ones = self.rows.ones_of(i).iter().map(|one| weights[*one]);
            intercept + numbers.sum::<f64>() + ones.sum::<f64>()
        };
        (0..self.rows()).map(row).collect()
    }

    /// The transposed matrix times `values`, one a row.
    pub fn transposed_times(&self, values: &[f64]) -> Vec<f64> {
        let (mut sums, all) = self.sums(values, |v| v);
        for (sum, (centre, scale)) in self.categories(&mut sums) {
            *sum = (*sum - centre * all) / scale;
        }
        sums.push(all);
        sums
    }

    /// Sum over the rows of each entry's square times the row's value.
    pub fn squares_times(&self, values: &[f64]) -> Vec<f64> {
        let (mut sums, all) = self.sums(values, |v| v * v);
        for (sum, (centre, scale)) in self.categories(&mut sums) {
            *sum = (*sum * (1.0 - 2.0 * centre) + centre * centre * all) / (scale * scale);
        }
        sums.push(all);
        sums
    }

    fn numbers_of(&self, row: usize) -> &[f64] {
        let width = self.rows.numbers;
        &self.numbers[row * width..(row + 1) * width]
    }

    /// `values` of the entries of categories, each with its scaling.
    fn categories<'v>(
        &self,
        values: &'v mut [f64],
    ) -> impl Iterator<Item = (&'v mut f64, (f64, f64))> + use<'v, 'a> {
        values.iter_mut().zip(self.scaling.iter().copied()).skip(self.rows.numbers)
    }

    /// Sums over the rows of `of` each entry, of categories before scaling, times the row's value;
    /// and the sum of the values.
    fn sums(&self, values: &[f64], of: impl Fn(f64) -> f64) -> (Vec<f64>, f64) {
        let mut sums = vec![0.0; self.rows.width];
        for (i, value) in values.iter().enumerate() {
            for (sum, v) in sums.iter_mut().zip(self.numbers_of(i)) {
                *sum += of(*v) * value;
            }
            for one in self.rows.ones_of(i) {
                sums[*one] += value;
            }
        }
        (sums, values.iter().sum())
    }
}

//! Mean and standard deviation of rows, in chunks, without a copy of all rows in a wider type.

use super::Normaliser;
use super::normaliser::features;
use tch::{Kind, Tensor};

/// A standard deviation below this multiple of the mean is rounding in float64.
const ROUNDING: f64 = 1e-15;

/// Ratio of mean to deviation above which float32 loses digits that matter: of its 24 bits, 16 are
/// left.
const FAR: f64 = 256.0;

/// Running mean and variance in float64, of each feature of vectors or of all entries of larger
/// rows together.
#[derive(Debug, Default)]
pub(super) struct Moments(Option<Sums>);

#[derive(Debug)]
struct Sums {
    n: f64,
    /// The first row, the value of features that do not vary.
    first: Tensor,
    varies: Tensor,
    mean: Tensor,
    /// Sum of squared differences from the mean.
    squares: Tensor,
}

impl Moments {
    /// Moments of `values` `[n, …]`, in chunks of `chunk` rows.
    pub(super) fn new(values: &Tensor, chunk: i64) -> Self {
        let (mut all, n) = (Self::default(), values.size()[0]);
        for from in (0..n).step_by(chunk.max(1) as usize) {
            all.add(&values.narrow(0, from, chunk.max(1).min(n - from)));
        }
        all
    }

    /// Adds further rows `[n, …]` (pairwise update of Chan, Golub and LeVeque 1979).
    pub(super) fn add(&mut self, values: &Tensor) {
        let new = Sums::new(values);
        self.0 = Some(match self.0.take() {
            Some(before) => before.merge(&new),
            None => new,
        });
    }

    /// Mean and standard deviation of each feature, float64; `None` without rows. For a feature
    /// that varies only by rounding they are its first value and 0.
    pub(super) fn finish(self) -> Option<(Tensor, Tensor)> {
        let Sums { n, first, varies, mean, squares } = self.0?;
        let deviation = (squares / n).sqrt();
        let varies = varies.logical_and(&deviation.gt_tensor(&(mean.abs() * ROUNDING)));
        Some((mean.where_self(&varies, &first), deviation.where_self(&varies, &first.zeros_like())))
    }

    /// Normaliser to mean 0 and deviation 1, for a model of precision `kind`; the identity without
    /// rows.
    #[cfg(test)]
    pub(super) fn normaliser(self, kind: Kind) -> Normaliser {
        match self.finish() {
            Some((mean, deviation)) => Normaliser::fitted(mean, deviation, kind),
            None => Normaliser::identity(kind, tch::Device::Cpu),
        }
    }
}

/// True if the precision `kind` would lose digits of the deviations because of a large mean.
fn is_far((mean, deviation): (&Tensor, &Tensor), kind: Kind) -> bool {
    let rounded = mean.to_kind(kind).to_kind(Kind::Double).ne_tensor(mean);
    let far = mean.abs().gt_tensor(&(deviation * FAR));
    let lost = far.logical_and(&deviation.gt(0.0).logical_or(&rounded));
    kind != Kind::Double && lost.any().int64_value(&[]) == 1
}

/// Computes mean and standard deviation of the columns of `[n, …]`, float64; `None` without rows.
/// If the precision `kind` of the model suffices, values are rounded to it first, so that the same
/// rows from a float32 file give the same result.
pub(super) fn columns(values: &Tensor, kind: Kind) -> Option<(Tensor, Tensor)> {
    let moments = |values: &Tensor| {
        let row = values.size()[1..].iter().product::<i64>() * 4;
        Moments::new(values, super::disk::CHUNK as i64 / row.max(1)).finish()
    };
    let (mean, deviation) = moments(values)?;
    let rounded =
        values.kind() == Kind::Double && kind != Kind::Double && !is_far((&mean, &deviation), kind);
    if rounded { moments(&values.to_kind(kind)) } else { Some((mean, deviation)) }
}

impl Normaliser {
    /// Normaliser with a mean and deviation in float64, which it keeps so if `kind` would lose
    /// digits.
    pub(super) fn fitted(mean: Tensor, deviation: Tensor, kind: Kind) -> Self {
        let own = if is_far((&mean, &deviation), kind) { Kind::Double } else { kind };
        Normaliser::new(mean.to_kind(own), deviation.to_kind(own), kind)
    }
}

impl Sums {
    fn new(values: &Tensor) -> Self {
        let flat = features(values).to_kind(Kind::Double);
        let n = flat.size()[0] as f64;
        let mean = flat.mean_dim([0].as_slice(), false, Kind::Double);
        let first = flat.get(0).copy();
        let varies = flat.ne_tensor(&first).any_dim(0, false);
        let squares = (flat - &mean).square().sum_dim_intlist([0].as_slice(), false, Kind::Double);
        Self { n, first, varies, mean, squares }
    }

    fn merge(&self, other: &Self) -> Self {
        let (n, difference) = (self.n + other.n, &other.mean - &self.mean);
        let between = difference.square() * (self.n * other.n / n);
        let differ = self.first.ne_tensor(&other.first);
        Self {
            n,
            first: self.first.shallow_clone(),
            varies: self.varies.logical_or(&other.varies).logical_or(&differ),
            mean: &self.mean + difference * (other.n / n),
            squares: &self.squares + &other.squares + between,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_textbook_however_rows_are_cut() {
        let values: Vec<f32> = (0..84).map(|i| 1e3 + (i as f32).sin() * (i % 3) as f32).collect();
        for shape in [vec![28, 3], vec![7, 3, 2, 2]] {
            let all = Tensor::from_slice(&values).view(shape.as_slice());
            let columns = features(&all).to_kind(Kind::Double);
            let mean = columns.mean_dim([0].as_slice(), false, Kind::Double);
            let deviation = columns.std_dim([0].as_slice(), false, false);
            // The first feature of vectors does not vary.
            let deviation = deviation.where_self(&deviation.gt(1e-9), &deviation.zeros_like());
            for chunk in [0, 1, 3, 5, 28, 100] {
                let found = Moments::new(&all, chunk).normaliser(Kind::Double);
                assert!(found.mean.allclose(&mean, 1e-12, 0.0, false), "{shape:?} {chunk}");
                assert!(
                    found.deviation.allclose(&deviation, 1e-9, 0.0, false),
                    "{shape:?} {chunk}"
                );
            }
        }
    }
}

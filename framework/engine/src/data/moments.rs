//! Mean and deviation of rows, some at a time: no copy of all in a wider type.

use super::Normaliser;
use super::normaliser::features;
use tch::{Kind, Tensor};

/// A deviation of less than so many parts of the mean is rounding, in float64.
const ROUNDING: f64 = 1e-15;

/// Means of more than so many deviations cost float32 digits that matter: it has 24 bits, of which 16 are left.
const FAR: f64 = 256.0;

/// Of each feature of vectors, or of all entries of larger rows, in float64.
#[derive(Debug, Default)]
pub(super) struct Moments(Option<Sums>);

#[derive(Debug)]
struct Sums {
    n: f64,
    /// A row, for features that do not vary.
    first: Tensor,
    varies: Tensor,
    mean: Tensor,
    /// Sum of the squares of what differs from the mean.
    squares: Tensor,
}

impl Moments {
    /// Of `[n, …]`, of which `chunk` rows are looked at together.
    pub(super) fn of(values: &Tensor, chunk: i64) -> Self {
        let (mut all, n) = (Self::default(), values.size()[0]);
        for from in (0..n).step_by(chunk.max(1) as usize) {
            all.add(&values.narrow(0, from, chunk.max(1).min(n - from)));
        }
        all
    }

    /// With further rows, `[n, …]` (Chan, Golub and LeVeque 1979).
    pub(super) fn add(&mut self, values: &Tensor) {
        let new = Sums::of(values);
        self.0 = Some(match self.0.take() {
            Some(before) => before.with(&new),
            None => new,
        });
    }

    /// Mean and deviation of each feature, float64; the deviation of one that does not vary but for rounding is 0,
    /// and its mean is its value. None without rows.
    pub(super) fn finish(self) -> Option<(Tensor, Tensor)> {
        let Sums { n, first, varies, mean, squares } = self.0?;
        let deviation = (squares / n).sqrt();
        let varies = varies.logical_and(&deviation.gt_tensor(&(mean.abs() * ROUNDING)));
        Some((mean.where_self(&varies, &first), deviation.where_self(&varies, &first.zeros_like())))
    }

    /// To mean 0 and deviation 1, for a model of precision `kind`. Without rows it leaves values alone.
    #[cfg(test)]
    pub(super) fn normaliser(self, kind: Kind) -> Normaliser {
        match self.finish() {
            Some((mean, deviation)) => Normaliser::fitted(mean, deviation, kind),
            None => Normaliser::identity(kind, tch::Device::Cpu),
        }
    }
}

/// Whether a mean costs digits of what is beside it, in the precision `kind`.
fn is_far((mean, deviation): (&Tensor, &Tensor), kind: Kind) -> bool {
    let rounded = mean.to_kind(kind).to_kind(Kind::Double).ne_tensor(mean);
    let far = mean.abs().gt_tensor(&(deviation * FAR));
    let lost = far.logical_and(&deviation.gt(0.0).logical_or(&rounded));
    kind != Kind::Double && lost.any().int64_value(&[]) == 1
}

/// Mean and deviation of the columns of `[n, …]`, float64; none without rows. Where a model of precision `kind` needs
/// no more than that, they are those of values rounded to it, so that the rows mean the same from whatever file.
pub(super) fn columns(values: &Tensor, kind: Kind) -> Option<(Tensor, Tensor)> {
    let of = |values: &Tensor| {
        let row = values.size()[1..].iter().product::<i64>() * 4;
        Moments::of(values, super::disk::CHUNK as i64 / row.max(1)).finish()
    };
    let (mean, deviation) = of(values)?;
    let rounded =
        values.kind() == Kind::Double && kind != Kind::Double && !is_far((&mean, &deviation), kind);
    if rounded { of(&values.to_kind(kind)) } else { Some((mean, deviation)) }
}

impl Normaliser {
    /// From mean and deviation in float64, which are kept so where they need it.
    pub(super) fn fitted(mean: Tensor, deviation: Tensor, kind: Kind) -> Self {
        let own = if is_far((&mean, &deviation), kind) { Kind::Double } else { kind };
        Normaliser::new(mean.to_kind(own), deviation.to_kind(own), kind)
    }
}

impl Sums {
    fn of(values: &Tensor) -> Self {
        let flat = features(values).to_kind(Kind::Double);
        let n = flat.size()[0] as f64;
        let mean = flat.mean_dim([0].as_slice(), false, Kind::Double);
        let first = flat.get(0).copy();
        let varies = flat.ne_tensor(&first).any_dim(0, false);
        let squares = (flat - &mean).square().sum_dim_intlist([0].as_slice(), false, Kind::Double);
        Self { n, first, varies, mean, squares }
    }

    fn with(&self, other: &Self) -> Self {
        let (n, apart) = (self.n + other.n, &other.mean - &self.mean);
        let between = apart.square() * (self.n * other.n / n);
        let differ = self.first.ne_tensor(&other.first);
        Self {
            n,
            first: self.first.shallow_clone(),
            varies: self.varies.logical_or(&other.varies).logical_or(&differ),
            mean: &self.mean + apart * (other.n / n),
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
                let found = Moments::of(&all, chunk).normaliser(Kind::Double);
                assert!(found.mean.allclose(&mean, 1e-12, 0.0, false), "{shape:?} {chunk}");
                assert!(
                    found.deviation.allclose(&deviation, 1e-9, 0.0, false),
                    "{shape:?} {chunk}"
                );
            }
        }
    }
}

//! Mean and deviation of rows, some at a time: no copy of all in a wider type.

use super::Normaliser;
use super::units::features;
use tch::{Kind, Tensor};

/// Of each feature of vectors, or of all entries of larger rows, in float64.
#[derive(Debug, Default)]
pub(super) struct Moments(Option<Sums>);

#[derive(Debug)]
struct Sums {
    n: f64,
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

    /// To mean 0 and deviation 1, in the precision `kind`. Without rows it leaves values alone, and likewise a
    /// feature that has no deviation but rounding.
    pub(super) fn normaliser(self, kind: Kind) -> Normaliser {
        let Some(Sums { n, mean, squares }) = self.0 else {
            return Normaliser::identity(kind, tch::Device::Cpu);
        };
        let deviation = (squares / n).sqrt();
        let varies = deviation.gt_tensor(&(mean.abs() * 1e-12));
        let deviation = deviation.where_self(&varies, &deviation.ones_like());
        Normaliser { mean: mean.to_kind(kind), deviation: deviation.to_kind(kind) }
    }
}

impl Sums {
    fn of(values: &Tensor) -> Self {
        let flat = features(values).to_kind(Kind::Double);
        let n = flat.size()[0] as f64;
        let mean = flat.mean_dim([0].as_slice(), false, Kind::Double);
        let squares = (flat - &mean).square().sum_dim_intlist([0].as_slice(), false, Kind::Double);
        Self { n, mean, squares }
    }

    fn with(&self, other: &Self) -> Self {
        let (n, apart) = (self.n + other.n, &other.mean - &self.mean);
        let between = apart.square() * (self.n * other.n / n);
        Self {
            n,
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
            let deviation = deviation.where_self(&deviation.gt(1e-9), &deviation.ones_like());
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

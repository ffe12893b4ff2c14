//! Probabilities of classes from predicted one-hot entries.

use super::units::Units;
use crate::table::Block;
use tch::{Kind, Tensor};

/// Distance from 1 of the sum of entries that are probabilities already, which rounding leaves.
const TOLERANCE: f64 = 1e-5;

impl Units {
    /// Targets `[n, entries]` in the data's own units, with probabilities in the entries of labels
    /// and categories: those of a softmax stay as they are, regressed one-hot entries are projected
    /// onto the [simplex](onto_simplex). The order of the entries is kept.
    pub(super) fn with_probabilities(&self, targets: &Tensor) -> Tensor {
        let blocks = self.target_blocks();
        let width: i64 = blocks.iter().map(|block| block.width()).sum();
        if targets.dim() != 2 || targets.size()[1] != width {
            return targets.shallow_clone();
        }
        let mut from = 0;
        let parts = blocks.into_iter().map(|block| {
            let part = targets.narrow(1, from, block.width());
            from += block.width();
            match block {
                Block::Values(_) => part,
                Block::Categories(_) => onto_simplex(&part),
            }
        });
        Tensor::cat(&parts.collect::<Vec<_>>(), 1)
    }
}

/// The nearest probabilities of rows `[n, K]` by Euclidean distance: max(v − τ, 0) with the τ for
/// which they add up to 1 (Duchi et al. 2008, Efficient Projections onto the ℓ1-Ball, figure 1).
/// The mean of one-hot entries is a probability, so that the projection of an estimate of the mean
/// is at least as near to it as the estimate. Rows of probabilities stay as they are.
fn onto_simplex(values: &Tensor) -> Tensor {
    let v = values.to_kind(Kind::Double);
    let sum = v.sum_dim_intlist([1].as_slice(), true, Kind::Double);
    let fits = v.ge(0.0).all_dim(1, true).logical_and(&(sum - 1.0).abs().lt(TOLERANCE));
    let (sorted, _) = v.sort(1, true);
    let excess = sorted.cumsum(1, Kind::Double) - 1.0;
    let number = Tensor::arange_start(1, v.size()[1] + 1, (Kind::Double, v.device()));
    let above = (&sorted - &excess / &number).gt(0.0);
    let kept = above.sum_dim_intlist([1].as_slice(), true, Kind::Int64).clamp_min(1);
    let shift = excess.gather(1, &(&kept - 1), false) / kept;
    let projected = (v - shift).clamp_min(0.0).to_kind(values.kind());
    values.where_self(&fits, &projected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, seed_torch};

    fn rows(values: &[f64], width: i64) -> Tensor {
        Tensor::from_slice(values).view([-1, width])
    }

    #[test]
    fn the_projection_is_the_nearest_point_of_the_simplex() {
        let given = rows(&[1.4, -0.44, 0.2, 0.5, 0.7, -0.1, 0.2, 0.2, 0.2], 3);
        let expected = rows(&[1.0, 0.0, 0.0, 0.4, 0.6, 0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0], 3);
        assert!(onto_simplex(&given).allclose(&expected, 1e-12, 1e-12, false));
        // By the condition of optimality: no vertex lies on the far side of the projection.
        let _stream = seed_torch(1, Purpose::Data, 0);
        let v = Tensor::randn([200, 5], (Kind::Double, tch::Device::Cpu));
        let p = onto_simplex(&v);
        let sum = p.sum_dim_intlist([1].as_slice(), true, Kind::Double);
        assert!(p.min().double_value(&[]) >= 0.0);
        assert!(sum.allclose(&sum.ones_like(), 1e-12, 1e-12, false));
        let inner = ((&v - &p) * &p).sum_dim_intlist([1].as_slice(), true, Kind::Double);
        assert!(((&v - &p) - inner).max().double_value(&[]) < 1e-9);
        assert_eq!(p.argmax(1, false), v.argmax(1, false));
    }

    #[test]
    fn probabilities_keep_their_digits() {
        let _stream = seed_torch(2, Purpose::Data, 0);
        let soft = Tensor::randn([50, 7], (Kind::Float, tch::Device::Cpu)).softmax(1, Kind::Float);
        assert_eq!(onto_simplex(&soft), soft);
    }
}

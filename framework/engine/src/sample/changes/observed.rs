//! Samples some of whose entries are given.

use super::{Change, Prediction, Shift};
use crate::error::{Error, Result};
use crate::path::rows;
use crate::sample::likelihood::EXACT_DIMENSIONS;
use crate::sequence;
use tch::{Kind, Tensor};

/// Iterations of conjugate gradients beyond [`EXACT_DIMENSIONS`] dimensions.
const ITERATIONS: usize = 8;

/// Least variance of an entry, relative to the mean over the entries.
const RIDGE: f64 = 1e-6;

/// Number of standard deviations beyond √k that k known entries may lie from their prediction: the
/// change is that of entries at this distance where they are farther.
const FARTHEST: f64 = 4.0;

/// Entries of latents that are known.
#[derive(Debug)]
pub struct Given {
    /// Values `[n, …z_shape]`; 0 where they are not known.
    pub values: Tensor,
    /// 1 where the value is known, else 0, in shape and precision of the values.
    pub known: Tensor,
}

impl Given {
    /// Views of `n` rows from `start`.
    #[must_use]
    pub fn narrow(&self, start: i64, n: i64) -> Self {
        Self { values: self.values.narrow(0, start, n), known: self.known.narrow(0, start, n) }
    }

    /// The entries of sequences outside their padding, of which nothing is known; `mask` `[n, T]`
    /// is 1 at positions of a sequence.
    #[must_use]
    pub fn within(&self, mask: Option<&Tensor>) -> Self {
        let keep = |t: &Tensor| sequence::keep(t, mask);
        Self { values: keep(&self.values), known: keep(&self.known) }
    }
}

/// Known entries of the data: the predicted data are conditioned on them as a Gaussian is.
///
/// Given the state z, the data have mean h, the prediction, and covariance C = (b²/a)·∂h/∂z
/// (Tweedie's formula of second order). If they are Gaussian, as for Gaussian data, their mean
/// given the entries y too is h + C_·k·C_kk⁻¹·(y − h_k) with the known entries k, and every other
/// prediction follows from it: sampling is then exact. For other data it is the Gaussian
/// approximation of their distribution given z, which improves as the noise decreases (Boys et al.
/// 2023, arXiv 2310.06721; Rozet et al. 2024, arXiv 2405.13712).
///
/// A network's Jacobian is no covariance far from the data. Changes are therefore bounded by
/// properties of any covariance: the known entries count as at most √k + 4 standard deviations from
/// their prediction, and no other entry moves by more of its own deviations than those.
///
/// C takes a vector-Jacobian product for each dimension up to [`EXACT_DIMENSIONS`]. Beyond, C_kk⁻¹
/// is applied by eight steps of conjugate gradients, each with one such product.
pub struct Observed<'g> {
    /// The known entries.
    pub given: &'g Given,
}

/// The data that are predicted at a state, as a function of it.
struct Predicted<'p> {
    /// The state `[n, …z_shape]`.
    z: &'p Tensor,
    /// Data `[n, d]`, with the graph to `z`.
    data: Tensor,
}

impl Predicted<'_> {
    /// Jᵀv for each row of `v` `[n, d]`.
    fn product(&self, v: &Tensor) -> Result<Tensor> {
        let sum = tch::with_grad(|| (&self.data * v).sum(self.data.kind()));
        let gradient = match sum.requires_grad() {
            true => Tensor::f_run_backward(&[sum], &[self.z], true, false)?.pop(),
            false => None,
        };
        let gradient = gradient.filter(Tensor::defined).ok_or_else(|| {
            Error::runtime("the prediction is no differentiable function of the state")
        })?;
        Ok(gradient.flatten(1, -1))
    }

    /// The symmetric part of the Jacobian, `[n, d, d]` in float64.
    fn jacobian(&self) -> Result<Tensor> {
        let d = self.data.size()[1];
        let one = |i| -> Result<Tensor> {
            let entry = self.data.zeros_like();
            let _ = entry.select(1, i).fill_(1.0);
            self.product(&entry)
        };
        let all = (0..d).map(one).collect::<Result<Vec<_>>>()?;
        let all = Tensor::stack(&all, 1).to_kind(Kind::Double);
        Ok((&all + all.transpose(1, 2)) * 0.5)
    }

    /// C·C_kk⁻¹·`residual` with C = `scale`·J, where `residual` `[n, d]` is 0 at entries that are
    /// not `known`.
    fn regression(&self, known: &Tensor, residual: &Tensor, scale: &Tensor) -> Result<Tensor> {
        let (change, distance) = match self.data.size()[1] > EXACT_DIMENSIONS {
            true => self.conjugate_gradients(known, residual)?,
            false => self.solved(known, residual)?,
        };
        // The squared distance of the known entries, and the largest that counts.
        let squared = &distance / scale.to_kind(distance.kind());
        let count = known.sum_dim_intlist(1, true, known.kind());
        let largest = (count.sqrt() + FARTHEST).square();
        let share = (largest / squared.clamp_min(f64::MIN_POSITIVE)).clamp_max(1.0).sqrt();
        // Below 0 the known block is no covariance.
        Ok(change * share.where_scalarother(&squared.ge(0.0), 0.0))
    }

    /// J·J_kk⁻¹·r and rᵀ·J_kk⁻¹·r `[n, 1]` for the residual r, by the matrix.
    fn solved(&self, known: &Tensor, residual: &Tensor) -> Result<(Tensor, Tensor)> {
        let jacobian = self.jacobian()?;
        let known = known.to_kind(Kind::Double);
        let diagonal = jacobian.diagonal(0, 1, 2);
        let scale = diagonal.abs().mean_dim(1, true, Kind::Double).clamp_min(1e-30);
        let filled = (&known * RIDGE - &known + 1.0) * scale;
        let block = &jacobian * known.unsqueeze(1) * known.unsqueeze(2);
        let block = block + filled.diag_embed(0, 1, 2);
        let right = residual.to_kind(Kind::Double).unsqueeze(2);
        let solved = Tensor::linalg_solve(&block, &right, true);
        let change = jacobian.matmul(&solved).squeeze_dim(2);
        let distance = (right * solved).sum_dim_intlist([1].as_slice(), false, Kind::Double);
        // |C_uk·C_kk⁻¹·r|² <= C_uu·(rᵀ·C_kk⁻¹·r) of every covariance.
        let bound = (diagonal.clamp_min(0.0) * distance.clamp_min(0.0)).sqrt();
        let change = change.minimum(&bound).maximum(&bound.neg());
        Ok((change.to_kind(residual.kind()), distance.to_kind(residual.kind())))
    }

    /// [`solved`](Self::solved) without the matrix.
    fn conjugate_gradients(&self, known: &Tensor, residual: &Tensor) -> Result<(Tensor, Tensor)> {
        let dot = |a: &Tensor, b: &Tensor| (a * b).sum_dim_intlist(1, true, a.kind());
        let ratio = |a: &Tensor, b: &Tensor| (a / b).where_scalarother(&b.gt(0.0), 0.0);
        let (mut left, mut direction) = (residual.shallow_clone(), residual.shallow_clone());
        let (mut image, mut size) = (residual.zeros_like(), dot(&left, &left));
        let mut distance = size.zeros_like();
        for _ in 0..ITERATIONS {
            let product = self.product(&direction)?;
            // 0 where a direction has no positive variance: that row stays as it is.
            let step = ratio(&size, &dot(&direction, &product));
            image += &step * &product;
            distance += &step * dot(residual, &direction);
            // A new tensor: `residual` shares the memory of the first.
            let rest = &left - &step * &product * known;
            let next = dot(&rest, &rest);
            direction = &rest + ratio(&next, &size) * &direction;
            (left, size) = (rest, next);
        }
        Ok((image, distance))
    }
}

impl Change for Observed<'_> {
    fn shift(&self, prediction: &Prediction<'_>) -> Result<Shift> {
        let (z, point) = (&prediction.z, prediction.reading.point());
        let data = tch::with_grad(|| prediction.data.flatten(1, -1));
        let known = self.given.known.flatten(1, -1);
        let residual = (self.given.values.flatten(1, -1) - data.detach()) * &known;
        let scale = point.b.square() / &point.a;
        let scale = scale.where_scalarother(&point.a.gt(0.0), 1.0).to_kind(z.kind()).unsqueeze(1);
        let regression = Predicted { z, data }.regression(&known, &residual, &scale)?;
        // Where the state holds no data (a = 0), it says nothing of the other entries.
        let informed = rows(&point.a.gt(0.0), &known).logical_and(&known.eq(0.0));
        Ok(Shift::Data(regression.where_self(&informed, &residual).view_as(z)))
    }

    fn differentiates(&self) -> bool {
        true
    }

    fn finished(&self, data: Tensor) -> Result<Tensor> {
        Ok(self.given.values.where_self(&self.given.known.gt(0.0), &data))
    }
}

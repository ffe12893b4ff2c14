//! The loss: flow, recon, reg, vae and kl, written once for all objectives.
//!
//! total = flow + recon_weight·recon + reg_weight·reg + vae_weight·vae + kl_weight·kl. Every function gives
//! one value a row, `[batch]`, with the entries of a row reduced by mean or sum.

use crate::component::{Objective, Posterior};
use crate::config::{Reconstruction, Reduction, Weighting};
use crate::error::Result;
use crate::kernels;
use crate::path::{Path, PathKind, PathPoint, Reading};
use crate::sequence;
use tch::Tensor;

/// Largest weight of an error of the output on the rectified path, where no weight that is fair to every
/// objective is bounded.
pub const RECTIFIED_CAP: f64 = 10.0;
/// Largest SNR under `min_snr`.
pub const MIN_SNR_CAP: f64 = 5.0;

/// Reduces every axis but the first. `mask`: of rows that are sequences `[batch, T, …]` the positions that count,
/// `[batch, T]`; the mean of a row is one over these.
pub fn reduce(x: &Tensor, reduction: Reduction, mask: Option<&Tensor>) -> Tensor {
    if x.dim() == 1 {
        return x.shallow_clone();
    }
    let axes: Vec<i64> = (1..x.dim() as i64).collect();
    match (reduction, mask) {
        (Reduction::Mean, None) => x.mean_dim(axes, false, x.kind()),
        (Reduction::Sum, _) => sequence::keep(x, mask).sum_dim_intlist(axes, false, x.kind()),
        (Reduction::Mean, Some(mask)) => {
            let entries = x.size()[2..].iter().product::<i64>() as f64;
            let counted = mask.sum_dim_intlist([1].as_slice(), false, x.kind()) * entries;
            sequence::keep(x, Some(mask)).sum_dim_intlist(axes, false, x.kind()) / counted
        }
    }
}

/// |output − target|² of a row.
pub fn squared_error(
    output: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    mask: Option<&Tensor>,
) -> Tensor {
    reduce(&(output - target).square(), reduction, mask)
}

/// The comparison of a reconstruction with its target: squared error, or cross-entropy of logits summed
/// over the last axis (classes) and reduced over the others.
pub fn reconstruction(
    kind: Reconstruction,
    output: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    mask: Option<&Tensor>,
) -> Tensor {
    match kind {
        Reconstruction::Mse => squared_error(output, target, reduction, mask),
        Reconstruction::CrossEntropy => {
            let terms = target * output.log_softmax(-1, output.kind());
            let terms = terms.sum_dim_intlist([-1].as_slice(), false, output.kind()).neg();
            reduce(&terms, reduction, mask)
        }
        Reconstruction::None => {
            output.new_zeros([output.size()[0]], (output.kind(), output.device()))
        }
    }
}

/// KL of the law of z_0 given the target from N(0, I), where `alpha_bar_0` is alpha_bar at t = 0:
/// ½ Σ (alpha_bar_0·μ² + u − log1p u), u = alpha_bar_0·expm1(log-variance); a deterministic encoder has
/// log-variance −∞.
pub fn kl(
    posterior: &Posterior,
    alpha_bar_0: &Tensor,
    reduction: Reduction,
    mask: Option<&Tensor>,
) -> Tensor {
    let u = match &posterior.log_variance {
        Some(l) => l.expm1() * alpha_bar_0,
        None => alpha_bar_0.neg(),
    };
    let terms = posterior.mean.square() * alpha_bar_0 + (&u - u.log1p());
    reduce(&(terms * 0.5), reduction, mask)
}

/// The weight over time, of a kind, for one objective on one path.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    kind: Weighting,
    mean_flow: f64,
    mean_data: f64,
}

impl Weights {
    /// With `normalise`, each weight is divided by its mean over t.
    pub fn new(
        kind: Weighting,
        normalise: bool,
        path: &Path,
        objective: &dyn Objective,
    ) -> Result<Self> {
        let plain = Self { kind, mean_flow: 1.0, mean_data: 1.0 };
        if !normalise || kind == Weighting::None {
            return Ok(plain);
        }
        if path.kind == PathKind::Rectified {
            let mean_data = rectified_mean(kind);
            let (nodes, weights) = gauss_legendre(0.0, 1.0);
            let point = PathPoint::rectified(&Tensor::from_slice(&nodes));
            let reading = Reading::new(objective, &point)?;
            let velocity = reading.determinant().abs().eq(1.0).all().int64_value(&[]) == 1;
            let mean_flow = if velocity || kind == Weighting::Seed {
                mean_data
            } else {
                plain.flow(&reading).dot(&Tensor::from_slice(&weights)).double_value(&[])
            };
            return Ok(Self { kind, mean_flow, mean_data });
        }
        // ∫ w dt = ∫ (w / γ') dγ, and every weight is proportional to γ'.
        let (start, end) = path.gamma_range()?;
        let kink = MIN_SNR_CAP.ln().clamp(start, end);
        let (mut mean_flow, mut mean_data) = (0.0, 0.0);
        for (from, to) in [(start, kink), (kink, end)] {
            let (nodes, weights) = gauss_legendre(from, to);
            let gamma = Tensor::from_slice(&nodes).to_device(path.device);
            let t = path.time_of(&gamma)?;
            let point =
                PathPoint::variance_preserving(&t, gamma.shallow_clone(), gamma.ones_like());
            let reading = Reading::new(objective, &point)?;
            let weights = Tensor::from_slice(&weights).to_device(path.device);
            mean_flow += plain.flow(&reading).dot(&weights).double_value(&[]);
            mean_data += plain.data(&point).dot(&weights).double_value(&[]);
        }
        Ok(Self { kind, mean_flow, mean_data })
    }

    /// What the weights of (flow; recon and reg) are divided by: their exact means over t, or 1.
    pub fn means(&self) -> (f64, f64) {
        (self.mean_flow, self.mean_data)
    }

    /// Whether the weight of the output's error is 1 at all times.
    pub fn flow_is_one(&self, path: PathKind) -> bool {
        let one = match self.kind {
            Weighting::None => true,
            Weighting::Seed => path == PathKind::Rectified,
            _ => false,
        };
        one && self.mean_flow == 1.0
    }

    /// Weight of the squared error of the output, `[batch]`.
    pub fn flow(&self, reading: &Reading<'_>) -> Tensor {
        let point = reading.point();
        let weight = self.raw(point);
        let in_output_space = match self.kind {
            Weighting::None | Weighting::Seed => weight,
            _ => match point.kind {
                PathKind::Rectified => {
                    (weight / reading.determinant().square()).clamp_max(RECTIFIED_CAP)
                }
                PathKind::VariancePreserving => {
                    weight * (&point.b / reading.determinant()).square()
                }
            },
        };
        if self.mean_flow == 1.0 { in_output_space } else { in_output_space / self.mean_flow }
    }

    /// Weight of recon and reg, `[batch]`.
    pub fn data(&self, point: &PathPoint) -> Tensor {
        self.raw(point) / self.mean_data
    }

    /// Weight of the data error on the variance-preserving path, of the velocity error on the rectified.
    fn raw(&self, point: &PathPoint) -> Tensor {
        let rectified = point.kind == PathKind::Rectified;
        match self.kind {
            Weighting::None => point.t.ones_like(),
            Weighting::Seed | Weighting::Field if rectified => point.t.ones_like(),
            Weighting::Seed => point.snr_prime(),
            Weighting::Field => point.gamma_prime() * point.a.square() * 0.25,
            Weighting::Elbo if rectified => (&point.a / &point.b * 2.0).clamp_max(RECTIFIED_CAP),
            Weighting::Elbo => point.snr_prime(),
            // γ'·min(SNR, κ) on the data error, times b² for the velocity's.
            Weighting::MinSnr if rectified => {
                let ratio = &point.a / &point.b;
                (&ratio * 2.0).minimum(&(ratio.reciprocal() * (2.0 * MIN_SNR_CAP)))
            }
            Weighting::MinSnr => point.gamma_prime() * point.snr().clamp_max(MIN_SNR_CAP),
        }
    }
}

/// Mean over t of the velocity-space weight on the rectified path.
fn rectified_mean(kind: Weighting) -> f64 {
    let below = |t: f64| -2.0 * t - 2.0 * (-t).ln_1p(); // ∫ 2t/(1 − t)
    match kind {
        Weighting::None | Weighting::Seed | Weighting::Field => 1.0,
        Weighting::Elbo => {
            let t = RECTIFIED_CAP / (2.0 + RECTIFIED_CAP);
            below(t) + RECTIFIED_CAP * (1.0 - t)
        }
        Weighting::MinSnr => {
            let t = MIN_SNR_CAP.sqrt() / (1.0 + MIN_SNR_CAP.sqrt());
            below(t) + 2.0 * MIN_SNR_CAP * (t - 1.0 - t.ln())
        }
    }
}

/// Nodes and weights of a 5-point Gauss-Legendre rule on each of 128 equal panels.
fn gauss_legendre(from: f64, to: f64) -> (Vec<f64>, Vec<f64>) {
    const X: [f64; 5] = [
        -0.906_179_845_938_664,
        -0.538_469_310_105_683_1,
        0.0,
        0.538_469_310_105_683_1,
        0.906_179_845_938_664,
    ];
    const W: [f64; 5] = [
        0.236_926_885_056_189_08,
        0.478_628_670_499_366_47,
        0.568_888_888_888_888_9,
        0.478_628_670_499_366_47,
        0.236_926_885_056_189_08,
    ];
    let half = (to - from) / 256.0;
    let panels = (0..128).flat_map(|i| {
        let centre = from + half * (2 * i + 1) as f64;
        X.iter().zip(W).map(move |(x, w)| (centre + half * x, half * w))
    });
    panels.unzip()
}

/// The terms of the loss, each a mean over the batch, `[]`. A term that was not measured is `None`.
#[derive(Debug)]
pub struct Terms {
    /// What is minimised.
    pub total: Tensor,
    /// The regression on the objective's target.
    pub flow: Tensor,
    /// Reconstruction from z_t.
    pub recon: Option<Tensor>,
    /// |dz/dt|².
    pub reg: Option<Tensor>,
    /// Reconstruction from z_1.
    pub vae: Option<Tensor>,
    /// KL(z_0).
    pub kl: Option<Tensor>,
}

/// Names of the terms, in the order of [`Terms::add_to`].
pub const TERMS: [&str; 6] = ["total", "flow", "recon", "reg", "vae", "kl"];

impl Terms {
    /// Adds them, weighed with the number of rows, to the sums of an epoch, `[terms + 1]` in float64: NaN where not
    /// measured, and the rows last.
    pub fn add_to(&self, sums: &mut Tensor, rows: i64) {
        let (total, flow) = (Some(&self.total), Some(&self.flow));
        let [recon, reg, vae, kl] =
            [&self.recon, &self.reg, &self.vae, &self.kl].map(Option::as_ref);
        kernels::accumulate(sums, &[total, flow, recon, reg, vae, kl], rows as f64);
    }
}

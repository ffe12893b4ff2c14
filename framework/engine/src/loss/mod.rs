//! The loss, the same for all objectives:
//! total = flow + recon_weight·recon + reg_weight·reg + vae_weight·vae + kl_weight·kl.
//!
//! Every function returns one value for each row, `[batch]`; the entries of a row are reduced by
//! mean or sum.

mod quadrature;
mod terms;
mod times;
mod weights;

pub use terms::{TERM_COUNT, Terms};
pub use times::{BatchRows, Times};
pub use weights::{UNBOUNDED_CAP, Weights};

use crate::component::Posterior;
use crate::config::{Reconstruction, Reduction};
use crate::sequence;
use crate::table::Segments;
use tch::Tensor;

/// Reduces every axis but the first. For rows that are sequences `[batch, T, …]`, `mask`
/// `[batch, T]` is 1 at positions that count and 0 at padding; the mean of a row is taken over the
/// former.
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

/// Squared error |output − target|² of each row.
pub fn squared_error(
    output: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    mask: Option<&Tensor>,
) -> Tensor {
    reduce(&(output - target).square(), reduction, mask)
}

/// Reconstruction error of each row: squared error; cross-entropy of logits, which is summed over
/// the last axis (classes) and reduced over the others; or either by the numbers and categories of
/// `segments`, reduced over these.
pub fn reconstruction(
    kind: Reconstruction,
    (output, target): (&Tensor, &Tensor),
    segments: &Segments,
    reduction: Reduction,
    mask: Option<&Tensor>,
) -> Tensor {
    match kind {
        // Images and sequences have numbers only.
        Reconstruction::Blocks if segments.category_count() == 0 => {
            squared_error(output, target, reduction, mask)
        }
        Reconstruction::Mse => squared_error(output, target, reduction, mask),
        Reconstruction::CrossEntropy => {
            let terms = target * output.log_softmax(-1, output.kind());
            let terms = terms.sum_dim_intlist([-1].as_slice(), false, output.kind()).neg();
            reduce(&terms, reduction, mask)
        }
        Reconstruction::Blocks => {
            let errors = segments.error(output, target);
            match reduction {
                Reduction::Mean => errors / segments.terms() as f64,
                Reduction::Sum => errors,
            }
        }
        Reconstruction::None => {
            output.new_zeros([output.size()[0]], (output.kind(), output.device()))
        }
    }
}

/// KL of the distribution of z_0 given the target from N(0, I), in nats, where `alpha_bar_0` is
/// alpha_bar at t = 0: ½ Σ (alpha_bar_0·μ² + u − log1p u), u =
/// alpha_bar_0·expm1(log-variance). A deterministic encoder has log-variance −∞.
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

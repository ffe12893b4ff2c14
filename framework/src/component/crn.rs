//! CRNs: the conditional network f(z, x, t).

use super::{BuildContext, Pass};
use crate::component_kind;
use tch::Tensor;

/// A condition, possibly absent for some rows.
#[derive(Debug)]
pub struct Condition {
    /// `[batch, …condition_shape]`.
    pub value: Tensor,
    /// `[batch]` of 0 and 1, where rows without condition (dropped in training, or the unconditional
    /// half of a guided evaluation) are 0; `None` when all are present.
    pub present: Option<Tensor>,
    /// `[batch, T]` of 1 and 0, where the conditions are sequences of different lengths: positions that are
    /// not padding, which holds zeros; `None` when all are there.
    pub mask: Option<Tensor>,
}

impl Condition {
    /// Conditions `[batch, …condition_shape]` that are all present, without padding.
    pub fn new(value: Tensor) -> Self {
        Self { value, present: None, mask: None }
    }
}

/// One evaluation of a CRN.
#[derive(Debug)]
pub struct CrnInput<'a> {
    /// `[batch, …z_shape]`.
    pub z: &'a Tensor,
    /// `[batch]`: t, or normalised log-SNR (γ − γ(0)) / (γ(1) − γ(0)) when the schedule is learnable.
    pub time: &'a Tensor,
    /// The condition, if the model has one.
    pub condition: Option<&'a Condition>,
}

/// Which way an output can turn with z: see [`Crn::sense`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sense {
    /// Whether it is the gradient of a convex function of z, else minus the gradient of one.
    pub rising: bool,
    /// What to set for the other sense, such as "set `crn.sign: 1`".
    pub otherwise: String,
}

component_kind! {
    /// The conditional network f(z, x, t): a backbone and a reading of it.
    kind "crn", spec CrnSpec, context<'a> BuildContext<'a>;

    /// Predicts what the objective says.
    pub trait Crn {
        /// `[batch, …z_shape]`.
        fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor>;
    }
    provided {
        /// Which way its output can turn with z, whatever the parameters and up to a multiple of z that
        /// depends on time alone; `None` where it is free. The data given z are the gradient of a convex
        /// function of z, so an objective that predicts them needs one that can rise.
        fn sense(&self) -> Result<Option<Sense>> {
            Ok(None)
        }
    }
}

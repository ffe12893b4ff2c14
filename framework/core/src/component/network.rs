//! Networks: the backbones inside a CRN.

use super::{Condition, Pass};
use crate::component_kind;
use std::ops::RangeInclusive;
use tch::{Tensor, nn};

/// What a network is built from (shapes without the batch axis).
#[derive(Debug)]
pub struct NetworkContext<'a> {
    /// Where the variables live.
    pub vars: nn::Path<'a>,
    /// Shape of z.
    pub z_shape: Vec<i64>,
    /// Shape of the condition; `None` without.
    pub condition_shape: Option<Vec<i64>>,
    /// Number of time features.
    pub time_features: i64,
    /// Shape of the output.
    pub output_shape: Vec<i64>,
    /// Orders of the derivatives with respect to z that are used of the output: `0..=0` is the output itself,
    /// `1..=1` its gradient, `1..=2` gradient and Hessian. What they do not see (a constant, where they begin at
    /// 1) needs no parameter; a network that is piecewise linear in z refuses all but `0..=0`.
    pub derivatives: RangeInclusive<u32>,
}

/// One evaluation of a network.
#[derive(Debug)]
pub struct NetworkInput<'a> {
    /// `[batch, …z_shape]`.
    pub z: &'a Tensor,
    /// The condition, if the network was built with one.
    pub condition: Option<&'a Condition>,
    /// `[batch, time_features]`.
    pub time: &'a Tensor,
}

component_kind! {
    /// The backbone of a CRN.
    kind "network", spec NetworkSpec, context<'a> NetworkContext<'a>;

    /// A function of z, the condition and time features.
    pub trait Network {
        /// `[batch, …output_shape]`.
        fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor>;
    }
    provided {
        /// Whether each entry of the output is a convex function of z, whatever the parameters.
        fn is_convex(&self) -> Result<bool> {
            Ok(false)
        }
    }
}

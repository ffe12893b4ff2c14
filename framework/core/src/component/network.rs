//! Networks: the backbones of conditional residual networks (CRNs).

use super::{Condition, Pass};
use crate::component_kind;
use std::ops::RangeInclusive;
use tch::{Tensor, nn};

/// Context in which a network is built; shapes are without the batch axis.
#[derive(Debug)]
pub struct NetworkContext<'a> {
    /// The network's place among the variables; device and precision are the path's.
    pub vars: nn::Path<'a>,
    /// Shape of z, `[…z_shape]`.
    pub z_shape: Vec<i64>,
    /// Shape of the condition; `None` without condition.
    pub condition_shape: Option<Vec<i64>>,
    /// Number of time features.
    pub time_features: i64,
    /// Shape of the output, `[…output_shape]`.
    pub output_shape: Vec<i64>,
    /// Orders of the derivatives with respect to z of the output that are used: `0..=0` is the
    /// output itself, `1..=1` its gradient, `1..=2` gradient and Hessian. A term that vanishes in
    /// all of them, such as a constant where they begin at 1, needs no parameter; a network that is
    /// piecewise linear in z refuses all but `0..=0`.
    pub derivatives: RangeInclusive<u32>,
}

/// Input of one evaluation of a network.
#[derive(Debug)]
pub struct NetworkInput<'a> {
    /// State z, `[batch, …z_shape]`.
    pub z: &'a Tensor,
    /// The condition, if the network was built with one.
    pub condition: Option<&'a Condition>,
    /// Time features, `[batch, time_features]`.
    pub time: &'a Tensor,
}

component_kind! {
    /// The backbone of a conditional residual network (CRN).
    kind "network", context<'a> NetworkContext<'a>;

    /// A function of z, the condition and time features.
    pub trait Network {
        /// The output, `[batch, …output_shape]`.
        fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor>;
    }
    provided {
        /// True if each entry of the output is a convex function of z for all values of the
        /// parameters.
        fn is_convex(&self) -> Result<bool> {
            Ok(false)
        }
    }
}

//! Activation functions.

use crate::error::{Error, Result};
use std::ops::RangeInclusive;
use tch::Tensor;

/// Activation functions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum Activation {
    /// x·sigmoid(x), also known as SiLU.
    #[serde(alias = "silu")]
    Swish,
    /// Gaussian error linear unit.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// ln(1 + e^x).
    Softplus,
    /// max(x, 0).
    Relu,
}

impl Activation {
    /// Applies it.
    pub fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Activation::Swish => x.silu(),
            Activation::Gelu => x.gelu("none"),
            Activation::Tanh => x.tanh(),
            Activation::Softplus => x.softplus(),
            Activation::Relu => x.relu(),
        }
    }

    /// Whether it is convex and nowhere falls: what keeps a convex function convex.
    pub fn is_convex_and_rising(self) -> bool {
        matches!(self, Activation::Softplus | Activation::Relu)
    }

    /// Refuses it in a network of which derivatives of these orders are used (see
    /// [`NetworkContext::derivatives`](crate::component::NetworkContext::derivatives)) where its second derivative is zero: gradients would be constant piece
    /// by piece.
    pub fn check_derivatives(self, orders: &RangeInclusive<u32>) -> Result<()> {
        if *orders.end() == 0 || self != Activation::Relu {
            return Ok(());
        }
        let message = "the gradient of the network is used here, and with `relu` it jumps between \
                       constants: the second derivative is zero";
        Err(Error::config("activation", message)
            .help("use a smooth activation: swish, gelu, tanh or softplus"))
    }
}

use crate::error::{Error, Result};
use std::ops::RangeInclusive;
use tch::Tensor;

/// Activation function.
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
    /// Applies the function to each entry of `x`.
    pub fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Activation::Swish => x.silu(),
            Activation::Gelu => x.gelu("none"),
            Activation::Tanh => x.tanh(),
            Activation::Softplus => x.softplus(),
            Activation::Relu => x.relu(),
        }
    }

    /// True if the function is convex and non-decreasing, so that it preserves convexity.
    pub fn is_convex_and_rising(self) -> bool {
        matches!(self, Activation::Softplus | Activation::Relu)
    }

    /// Checks that the function has a second derivative, for a network whose output is
    /// differentiated in these `orders` (see
    /// [`NetworkContext::derivatives`](crate::component::NetworkContext::derivatives)). With one
    /// that is zero, gradients are piecewise constant.
    ///
    /// # Errors
    /// [`Error::Config`] at `activation` for `relu` where `orders` goes beyond 0.
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

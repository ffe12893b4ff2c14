use crate::error::{Error, Result};
use std::ops::RangeInclusive;
use tch::Tensor;

crate::choices! {
    /// Activation function.
    #[repr(i32)]
    pub enum Activation {
        /// x·sigmoid(x), also known as SiLU.
        Swish = "swish" | "silu",
        /// Gaussian error linear unit.
        Gelu = "gelu",
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// ln(1 + e^x).
        Softplus = "softplus",
        /// max(x, 0).
        Relu = "relu",
        /// Gaussian error linear unit, approximated by the hyperbolic tangent.
        GeluTanh = "gelu_tanh",
    }
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
            Activation::GeluTanh => x.gelu("tanh"),
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

//! A multilayer perceptron.

use super::{Head, headed};
use crate::layers::{self, Activation, numel};
use triflow::prelude::*;

triflow::component! {
    /// A multilayer perceptron over the flattened latent.
    pub struct Mlp: Decoder, DecoderSpec = "mlp" {
        /// Widths of the hidden layers.
        pub hidden_dims: Vec<i64> = vec![64, 64],
        /// Activation after each hidden layer.
        pub activation: Activation = Activation::Swish,
        /// Dropout after each hidden layer, in [0, 1).
        pub dropout: f64 = 0.0,
        /// What stands at the end.
        pub head: Head = Head::Linear,
    }
}

impl Spec<dyn Decoder> for Mlp {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        let body = layers::Mlp::new(
            &ctx.vars,
            numel(ctx.latent()?),
            &self.hidden_dims,
            self.activation,
            self.dropout,
        )?;
        let width = self.hidden_dims.last().copied().unwrap_or(1);
        headed(ctx, "mlp", width, self.head, move |z: &Tensor, pass: Pass| body.forward(z, pass))
    }
}

use super::{Head, with_head};
use crate::layers::{self, Activation, numel};
use triflow::prelude::*;

triflow::component! {
    /// A multilayer perceptron from the flattened latent to the target.
    pub struct Mlp: Decoder = "mlp" {
        /// Widths of the hidden layers.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        #[length(min = 1, max = crate::layers::MAX_LAYERS)]
        pub hidden_dims: Vec<i64> = vec![64, 64],
        /// Activation after each hidden layer.
        pub activation: Activation = Activation::Swish,
        /// Dropout after each hidden layer.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
        /// Last layer.
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
        with_head(ctx, "mlp", width, self.head, move |z: &Tensor, pass: Pass| body.forward(z, pass))
    }
}

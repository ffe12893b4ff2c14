use super::{FeatureEncoder, outputs};
use crate::layers::{self, Activation, WeightInit, numel};
use triflow::prelude::*;

triflow::component! {
    /// A multilayer perceptron from the flattened target to the latent; deterministic.
    pub struct Mlp: Encoder = "mlp" {
        /// Widths of the hidden layers.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        #[length(min = 1, max = crate::layers::MAX_LAYERS)]
        pub hidden_dims: Vec<i64> = vec![64, 64],
        /// Activation after each hidden layer.
        pub activation: Activation = Activation::Swish,
        /// Dropout after each hidden layer.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Encoder> for Mlp {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        let latent = ctx.latent()?.to_vec();
        let body = layers::Mlp::new(
            &ctx.vars,
            numel(&ctx.target_shape),
            &self.hidden_dims,
            self.activation,
            self.dropout,
        )?;
        let width = self.hidden_dims.last().copied().unwrap_or(1);
        let head = layers::Linear::new(
            &ctx.vars.sub("head"),
            width,
            outputs(&latent, false),
            WeightInit::LeCun,
        );
        let features = move |x: &Tensor, pass: Pass| head.forward(&body.forward(x, pass));
        Ok(Box::new(FeatureEncoder { latent, normal: false, features }))
    }
}

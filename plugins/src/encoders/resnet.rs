use super::{FeatureEncoder, outputs};
use crate::layers::{self, Activation, WeightInit, numel};
use triflow::prelude::*;

triflow::component! {
    /// Residual blocks from the flattened target to the latent; deterministic.
    ///
    /// A linear layer, then blocks h + W2·act(W1·norm(h)), then a linear layer.
    #[reference = "He et al. 2016, arXiv 1603.05027"]
    pub struct Resnet: Encoder = "resnet" {
        /// Width of every block.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub width: i64 = 64,
        /// Number of blocks.
        #[range(min = 1, max = crate::layers::MAX_LAYERS)]
        pub blocks: i64 = 2,
        /// Activation inside each block.
        pub activation: Activation = Activation::Swish,
        /// Dropout inside each block.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Encoder> for Resnet {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        let latent = ctx.latent()?.to_vec();
        let body = layers::ResNet::new(
            &ctx.vars,
            numel(&ctx.target_shape),
            self.width,
            self.blocks,
            self.activation,
            self.dropout,
        )?;
        let head = layers::Linear::new(
            &ctx.vars.sub("head"),
            self.width,
            outputs(&latent, false),
            WeightInit::LeCun,
        );
        let features = move |x: &Tensor, pass: Pass| head.forward(&body.forward(x, pass));
        Ok(Box::new(FeatureEncoder { latent, normal: false, features }))
    }
}

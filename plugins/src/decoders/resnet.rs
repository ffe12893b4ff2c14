use super::{Head, with_head};
use crate::layers::{self, Activation, numel};
use triflow::prelude::*;

triflow::component! {
    /// Residual blocks from the flattened latent to the target.
    ///
    /// A linear layer, then blocks h + W2·act(W1·norm(h)).
    #[reference = "He et al. 2016, arXiv 1603.05027"]
    pub struct Resnet: Decoder = "resnet" {
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
        /// Last layer.
        pub head: Head = Head::Linear,
    }
}

impl Spec<dyn Decoder> for Resnet {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        let body = layers::ResNet::new(
            &ctx.vars,
            numel(ctx.latent()?),
            self.width,
            self.blocks,
            self.activation,
            self.dropout,
        )?;
        with_head(ctx, "resnet", self.width, self.head, move |z: &Tensor, pass: Pass| {
            body.forward(z, pass)
        })
    }
}

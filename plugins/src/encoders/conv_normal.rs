//! Convolutions with a normal law.

use super::ConvEncoder;
use triflow::prelude::*;

triflow::component! {
    /// Convolutions from images to a normal law of the latent.
    ///
    /// Residual blocks, between which height and width are halved until they are those of a latent
    /// `[c, h, w]`; a latent that is a vector comes from a linear layer over what is left. The law of z_1 given the target is a normal with learned mean and log-variance (clamped to \[−20, 10\]).
    #[reference = "Rombach et al. 2022, arXiv 2112.10752"]
    pub struct ConvNormal: Encoder, EncoderSpec = "conv_normal" {
        /// Channels at the full resolution, a multiple of 4; twice as many after a halving, up to four times.
        pub width: i64 = 32,
        /// Residual blocks at each resolution.
        pub blocks: i64 = 1,
        /// Dropout inside blocks, in [0, 1).
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Encoder> for ConvNormal {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        ConvEncoder::build(ctx, "conv_normal", (self.width, self.blocks, self.dropout), true)
    }
}

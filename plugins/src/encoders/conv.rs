use super::ConvEncoder;
use triflow::prelude::*;

triflow::component! {
    /// Convolutional residual blocks from images to the latent; deterministic.
    ///
    /// Between the blocks, height and width are halved until they are those of a latent
    /// `[c, h, w]`. For a latent that is a vector, they are halved while they are even and above 4,
    /// and a linear layer follows.
    #[reference = "Rombach et al. 2022, arXiv 2112.10752"]
    pub struct Conv: Encoder = "conv" {
        /// Number of channels at full resolution, a multiple of 4; twice as many at half, four
        /// times as many at lower resolutions.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub width: i64 = 32,
        /// Number of residual blocks at each resolution.
        #[range(min = 1, max = crate::layers::MAX_LAYERS)]
        pub blocks: i64 = 1,
        /// Dropout inside each block.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Encoder> for Conv {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        ConvEncoder::build(ctx, "conv", (self.width, self.blocks, self.dropout), false)
    }
}

use crate::pyramid::{Pyramid, Up, check_width};
use triflow::prelude::*;

triflow::component! {
    /// Convolutional residual blocks from the latent to images.
    ///
    /// Between the blocks, height and width of a latent `[c, h, w]` are doubled until they are
    /// those of the image. A linear layer first turns a latent that is a vector into a small image.
    #[reference = "Rombach et al. 2022, arXiv 2112.10752"]
    pub struct Conv: Decoder = "conv" {
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

impl Spec<dyn Decoder> for Conv {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        check_width(self.width)?;
        let latent = ctx.latent()?;
        let shape = Pyramid::new(&ctx.target_shape, latent, self.width, "conv")?;
        Ok(Box::new(ConvDecoder(Up::new(
            &ctx.vars,
            shape,
            self.width,
            self.blocks,
            self.dropout,
            latent[0],
        ))))
    }
}

struct ConvDecoder(Up);

impl Decoder for ConvDecoder {
    fn decode(&self, z: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.0.forward(z, pass))
    }

    fn likelihood(&self) -> Result<Likelihood> {
        Ok(Likelihood::Gaussian)
    }
}

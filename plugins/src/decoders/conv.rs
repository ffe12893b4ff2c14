//! Convolutions.

use crate::pyramid::{Pyramid, Up, check_pyramid};
use triflow::prelude::*;

triflow::component! {
    /// Convolutions from the latent to images.
    ///
    /// Residual blocks, between which height and width of a latent `[c, h, w]` are doubled until they are those of
    /// the image; a latent that is a vector becomes a small image by a linear layer first.
    #[reference = "Rombach et al. 2022, arXiv 2112.10752"]
    pub struct Conv: Decoder, DecoderSpec = "conv" {
        /// Channels at the full resolution, a multiple of 4; twice as many before a doubling, up to four times.
        pub width: i64 = 32,
        /// Residual blocks at each resolution.
        pub blocks: i64 = 1,
        /// Dropout inside blocks, in [0, 1).
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Decoder> for Conv {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        check_pyramid(self.width, self.blocks, self.dropout)?;
        let latent = ctx.latent()?;
        let shape = Pyramid::new(&ctx.target_shape, latent, self.width, "conv")?;
        Ok(Box::new(Convolving(Up::new(
            &ctx.vars,
            shape,
            self.width,
            self.blocks,
            self.dropout,
            latent[0],
        ))))
    }
}

struct Convolving(Up);

impl Decoder for Convolving {
    fn decode(&self, z: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.0.forward(z, pass))
    }

    fn likelihood(&self) -> Result<Likelihood> {
        Ok(Likelihood::Gaussian)
    }
}

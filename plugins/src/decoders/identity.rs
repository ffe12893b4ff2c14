//! The target is the latent itself, or a linear reading of it.

use super::{Head, headed};
use crate::layers::numel;
use triflow::prelude::*;

triflow::component! {
    /// The target is the latent itself, or a linear reading of it.
    pub struct Identity: Decoder, DecoderSpec = "identity" {
        /// What stands at the end.
        pub head: Head = Head::None,
    }
}

impl Spec<dyn Decoder> for Identity {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        headed(ctx, "identity", numel(ctx.latent()?), self.head, |z: &Tensor, _: Pass| {
            z.shallow_clone()
        })
    }
}

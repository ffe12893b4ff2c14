use super::{Head, with_head};
use crate::layers::numel;
use triflow::prelude::*;

triflow::component! {
    /// The latent itself as the target, or a linear layer from the flattened latent.
    pub struct Identity: Decoder = "identity" {
        /// Last layer.
        pub head: Head = Head::None,
    }
}

impl Spec<dyn Decoder> for Identity {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        with_head(ctx, "identity", numel(ctx.latent()?), self.head, |z: &Tensor, _: Pass| {
            z.shallow_clone()
        })
    }
}

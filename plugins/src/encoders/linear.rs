use super::{FeatureEncoder, outputs};
use crate::layers::{self, WeightInit, numel};
use triflow::prelude::*;

triflow::component! {
    /// A linear layer from the flattened target to the latent; deterministic.
    pub struct Linear: Encoder = "linear" {}
}

impl Spec<dyn Encoder> for Linear {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        let latent = ctx.latent()?.to_vec();
        let layer = layers::Linear::new(
            &ctx.vars,
            numel(&ctx.target_shape),
            outputs(&latent, false),
            WeightInit::LeCun,
        );
        Ok(Box::new(FeatureEncoder {
            latent,
            normal: false,
            features: move |x: &Tensor, _: Pass| layer.forward(x),
        }))
    }
}

//! The backbone's output as it is.

use super::time_embedding::{TimeEmbedding, embed};
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The backbone's output as it is.
    pub struct Vanilla: Crn, CrnSpec = "vanilla" {
        /// The backbone.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
    }
}

impl Spec<dyn Crn> for Vanilla {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let shape = ctx.latent()?.to_vec();
        let network = self.network.build(&NetworkContext {
            vars: ctx.vars.sub("network"),
            z_shape: shape.clone(),
            condition_shape: ctx.condition_shape.clone(),
            time_features: self.time_embedding.dim,
            output_shape: shape,
        })?;
        Ok(Box::new(Plain { network, frequencies: self.time_embedding.frequencies(&ctx.vars)? }))
    }
}

struct Plain {
    network: Box<dyn Network>,
    frequencies: Tensor,
}

impl Crn for Plain {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = embed(input.time, &self.frequencies);
        self.network
            .forward(&NetworkInput { z: input.z, condition: input.condition, time: &time }, pass)
    }
}

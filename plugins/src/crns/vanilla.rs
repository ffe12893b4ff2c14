//! The backbone's output as it is.

use super::backbone::{Backbone, Skip};
use super::time_embedding::TimeEmbedding;
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The backbone's output as it is, plus z times a learned function of time.
    ///
    /// The second part is the best linear prediction of Gaussian data, which a network of z alone finds
    /// slowly: near t = 0 the noise is almost z itself.
    pub struct Vanilla: Crn, CrnSpec = "vanilla" {
        /// The backbone.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Whether z times a learned function of time is added; it starts at zero.
        pub skip: bool = true,
    }
}

impl Spec<dyn Crn> for Vanilla {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let shape = ctx.latent()?;
        Ok(Box::new(Plain {
            network: Backbone::new(&self.network, &self.time_embedding, ctx, shape, 0..=0)?,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct Plain {
    network: Backbone,
    skip: Skip,
}

impl Crn for Plain {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.network.time(input);
        let output = self.network.forward(input.z, &time, input, pass)?;
        Ok(self.skip.add(output, &time, input.z))
    }
}

use super::backbone::{Backbone, Skip};
use super::time_embedding::TimeEmbedding;
use crate::networks::Mlp;
use triflow::prelude::*;

triflow::component! {
    /// The output of the network plus z times a learned function of time: net(z, x, t) + s(t)·z.
    ///
    /// s(t)·z is the best linear prediction of Gaussian data, which a network of z alone learns
    /// slowly: near t = 0 the noise is almost z itself. s(t) is a linear layer over the `dim`
    /// features of time, divided by √dim: in `params.safetensors`, `crn.skip.weight` `[1, dim]` and
    /// `crn.skip.bias` `[1]`.
    pub struct Vanilla: Crn = "vanilla" {
        /// The network.
        pub network: Component<dyn Network> = Mlp::default().into(),
        /// Features of time.
        pub time_embedding: TimeEmbedding = TimeEmbedding::default(),
        /// Add s(t)·z with s(t) = (w·φ(t) + b)/√dim over the features φ of time (sines, then
        /// cosines); w and b start at zero.
        pub skip: bool = true,
    }
}

impl Spec<dyn Crn> for Vanilla {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let shape = ctx.latent()?;
        Ok(Box::new(NetworkWithSkip {
            network: Backbone::new(&self.network, &self.time_embedding, ctx, shape, 0..=0)?,
            skip: Skip::new(self.skip, &self.time_embedding, ctx),
        }))
    }
}

struct NetworkWithSkip {
    network: Backbone,
    skip: Skip,
}

impl Crn for NetworkWithSkip {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = self.network.time_features(input);
        let output = self.network.forward(input.z, &time, input, pass)?;
        Ok(self.skip.add(output, &time, input.z))
    }
}

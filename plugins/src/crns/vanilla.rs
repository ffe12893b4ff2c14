//! The backbone's output as it is.

use super::time_embedding::{TimeEmbedding, embed};
use crate::layers::{Linear, Start};
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
        let shape = ctx.latent()?.to_vec();
        let network = NetworkContext {
            vars: ctx.vars.sub("network"),
            z_shape: shape.clone(),
            condition_shape: ctx.condition_shape.clone(),
            time_features: self.time_embedding.dim,
            output_shape: shape,
        };
        let network = self.network.build(&network).map_err(|e| e.under("network"))?;
        let features = self.time_embedding.dim;
        let gate = self.skip.then(|| Linear::new(&ctx.vars.sub("skip"), features, 1, Start::Zero));
        let frequencies = self.time_embedding.frequencies(&ctx.vars)?;
        Ok(Box::new(Plain { network, gate, frequencies }))
    }
}

struct Plain {
    network: Box<dyn Network>,
    gate: Option<Linear>,
    frequencies: Tensor,
}

impl Crn for Plain {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let time = embed(input.time, &self.frequencies);
        let inputs = NetworkInput { z: input.z, condition: input.condition, time: &time };
        let output = self.network.forward(&inputs, pass)?;
        Ok(match &self.gate {
            // Scaled, so that a step of the optimizer does not shake it: its features all move together.
            Some(gate) => {
                let gate = gate.forward(&time).squeeze_dim(1) / (time.size()[1] as f64).sqrt();
                output + rows(&gate, input.z) * input.z
            }
            None => output,
        })
    }
}

//! What every CRN here has: a network beside its features of time, and z times a learned function of time.

use super::time_embedding::{TimeEmbedding, embed, same_in_all_rows};
use crate::layers::{Linear, WeightInit};
use std::ops::RangeInclusive;
use triflow::prelude::*;

/// A network with its features of time.
pub struct Backbone {
    network: Box<dyn Network>,
    frequencies: Tensor,
}

impl Backbone {
    /// The network with outputs `[batch, …output]`, of which derivatives of the orders `derivatives` are used.
    /// Its variables are below `network`.
    pub fn new(
        network: &Component<dyn Network>,
        time: &TimeEmbedding,
        ctx: &BuildContext,
        output: &[i64],
        derivatives: RangeInclusive<u32>,
    ) -> Result<Self> {
        // First: networks take `dim` as it is.
        let frequencies = time.frequencies(&ctx.vars)?;
        let context = NetworkContext {
            vars: ctx.vars.sub("network"),
            z_shape: ctx.latent()?.to_vec(),
            condition_shape: ctx.condition_shape.clone(),
            time_features: time.dim,
            output_shape: output.to_vec(),
            derivatives,
        };
        Ok(Self { network: network.build(&context)?, frequencies })
    }

    /// Whether the network is convex in z.
    pub fn is_convex(&self) -> Result<bool> {
        self.network.is_convex()
    }

    /// Features of time, `[batch, features]`.
    pub fn time(&self, input: &CrnInput<'_>) -> Tensor {
        embed(input.time, &self.frequencies)
    }

    /// The network at `z`, with the features of `time` and the condition of `input`.
    pub fn forward(
        &self,
        z: &Tensor,
        time: &Tensor,
        input: &CrnInput<'_>,
        pass: Pass,
    ) -> Result<Tensor> {
        self.network.forward(&NetworkInput { z, condition: input.condition, time }, pass)
    }
}

/// z times a learned function of time, which starts at zero.
pub struct Skip(Option<Linear>);

impl Skip {
    /// It, where `wanted`; its variables are below `skip`.
    pub fn new(wanted: bool, time: &TimeEmbedding, ctx: &BuildContext) -> Self {
        Self(wanted.then(|| Linear::new(&ctx.vars.sub("skip"), time.dim, 1, WeightInit::Zero)))
    }

    /// `output` with it; `time` are the features.
    pub fn add(&self, output: Tensor, time: &Tensor, z: &Tensor) -> Tensor {
        let Some(gate) = &self.0 else { return output };
        let time =
            &if same_in_all_rows(time) { time.narrow(0, 0, 1) } else { time.shallow_clone() };
        // Scaled, so that a step of the optimizer does not shake it: its features all move together.
        let gate = gate.forward(time).squeeze_dim(1) / (time.size()[1] as f64).sqrt();
        output + rows(&gate, z) * z
    }
}

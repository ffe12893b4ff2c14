//! Parts of every conditional residual network (CRN) here: a network with features of time, and a
//! skip connection from z.

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
    /// The network with outputs `[batch, …output]`, of which derivatives of the orders
    /// `derivatives` are used (0: the value itself). Its variables are below `network`.
    ///
    /// # Errors
    /// The time embedding is out of range, the latent's shape is not known, or the network refuses
    /// its parameters or shapes.
    pub fn new(
        network: &Component<dyn Network>,
        time: &TimeEmbedding,
        ctx: &BuildContext,
        output: &[i64],
        derivatives: RangeInclusive<u32>,
    ) -> Result<Self> {
        // Before the network is built: this checks `dim`, which networks rely on.
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

    /// `true` if the network is convex in z.
    ///
    /// # Errors
    /// Those of the network.
    pub fn is_convex(&self) -> Result<bool> {
        self.network.is_convex()
    }

    /// Features of the time of `input`, `[batch, features]`.
    pub fn time_features(&self, input: &CrnInput<'_>) -> Tensor {
        embed(input.time, &self.frequencies)
    }

    /// The network at `z` `[batch, …z_shape]`, with features of time `time` `[batch, features]` and
    /// the condition of `input`.
    ///
    /// # Errors
    /// Those of the network.
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

/// Skip connection s(t)·z, where s is a learned function of time that starts at zero; or none.
pub struct Skip(Option<Linear>);

impl Skip {
    /// The skip connection if `enabled`; its variables are below `skip`.
    pub fn new(enabled: bool, time: &TimeEmbedding, ctx: &BuildContext) -> Self {
        Self(enabled.then(|| Linear::new(&ctx.vars.sub("skip"), time.dim, 1, WeightInit::Zero)))
    }

    /// `output` + s(t)·z, from the features of time `[batch, features]`.
    pub fn add(&self, output: Tensor, time: &Tensor, z: &Tensor) -> Tensor {
        let Some(gate) = &self.0 else { return output };
        let time =
            &if same_in_all_rows(time) { time.narrow(0, 0, 1) } else { time.shallow_clone() };
        // Scaled, since a step of the optimizer moves the weights of all features together.
        let gate = gate.forward(time).squeeze_dim(1) / (time.size()[1] as f64).sqrt();
        output + rows(&gate, z) * z
    }
}

//! A potential: a scalar function of z, of which CRNs use the derivatives.

use super::backbone::Backbone;
use super::time_embedding::TimeEmbedding;
use crate::layers::{Linear, WeightInit, flatten, numel};
use std::ops::RangeInclusive;
use triflow::prelude::*;

/// A network with one output, plus m·z where a gradient is used: m is linear in the features of time and in the
/// condition, and starts at zero.
///
/// In a gradient m is a vector that depends on condition and time, but not on z. A network can only show it by
/// products of z with them, which it has to learn to imitate. What is convex stays convex.
pub struct Scalar {
    network: Backbone,
    tilt: Option<Linear>,
}

impl Scalar {
    /// Derivatives of the orders `derivatives` are going to be used. Variables are below `network` and `tilt`.
    pub fn new(
        network: &Component<dyn Network>,
        time: &TimeEmbedding,
        ctx: &BuildContext,
        derivatives: RangeInclusive<u32>,
    ) -> Result<Self> {
        let entries = numel(ctx.latent()?);
        let tilt = derivatives.contains(&1);
        let network = Backbone::new(network, time, ctx, &[1], derivatives)?;
        let inputs = time.dim + ctx.condition_shape.as_deref().map_or(0, numel);
        Ok(Self {
            network,
            tilt: tilt.then(|| {
                Linear::with_bias(&ctx.vars.sub("tilt"), inputs, entries, WeightInit::Zero, false)
            }),
        })
    }

    /// Whether it is convex in z.
    pub fn is_convex(&self) -> Result<bool> {
        self.network.is_convex()
    }

    /// Features of time, `[batch, features]`.
    pub fn time(&self, input: &CrnInput<'_>) -> Tensor {
        self.network.time(input)
    }

    /// Its value at `z`, `[batch, 1]`, with the features of `time` and the condition of `input`.
    pub fn at(
        &self,
        z: &Tensor,
        time: &Tensor,
        input: &CrnInput<'_>,
        pass: Pass,
    ) -> Result<Tensor> {
        let value = self.network.forward(z, time, input, pass)?;
        let Some(tilt) = &self.tilt else { return Ok(value) };
        let mut about = vec![time.shallow_clone()];
        if let Some(condition) = input.condition {
            let value = flatten(&condition.value);
            about.push(match &condition.present {
                Some(present) => value * present.view([-1, 1]),
                None => value,
            });
        }
        let m = tilt.forward(&Tensor::cat(&about, 1)) / (time.size()[1] as f64).sqrt();
        Ok(value + (m * flatten(z)).sum_dim_intlist([1].as_slice(), true, z.kind()))
    }
}

use super::backbone::Backbone;
use super::time_embedding::TimeEmbedding;
use crate::layers::{Linear, WeightInit, flatten, numel};
use std::ops::RangeInclusive;
use triflow::prelude::*;

/// Scalar function of z whose derivatives a conditional residual network (CRN) uses: a network with
/// one output, plus m·z where its gradient is used.
///
/// m is linear in the features of time and in the condition, and starts at zero. It adds to the
/// gradient a vector that depends on condition and time but not on z, which the network alone could
/// express only by products of z with them. m·z is linear in z, so that a convex network stays
/// convex.
pub struct Scalar {
    network: Backbone,
    tilt: Option<Linear>,
}

impl Scalar {
    /// A scalar of which derivatives of the orders `derivatives` are used. Its variables are below
    /// `network` and `tilt`.
    ///
    /// # Errors
    /// Those of [`Backbone::new`].
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

    /// `true` if the scalar is convex in z.
    ///
    /// # Errors
    /// Those of the network.
    pub fn is_convex(&self) -> Result<bool> {
        self.network.is_convex()
    }

    /// Features of the time of `input`, `[batch, features]`.
    pub fn time_features(&self, input: &CrnInput<'_>) -> Tensor {
        self.network.time_features(input)
    }

    /// Value at `z` `[batch, …z_shape]`, with features of time `time` `[batch, features]` and the
    /// condition of `input`; `[batch, 1]`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn value(
        &self,
        z: &Tensor,
        time: &Tensor,
        input: &CrnInput<'_>,
        pass: Pass,
    ) -> Result<Tensor> {
        let value = self.network.forward(z, time, input, pass)?;
        let Some(tilt) = &self.tilt else { return Ok(value) };
        let mut context = vec![time.shallow_clone()];
        if let Some(condition) = input.condition {
            let value = flatten(&condition.value);
            context.push(match &condition.present {
                Some(present) => value * present.view([-1, 1]),
                None => value,
            });
        }
        let m = tilt.forward(&Tensor::cat(&context, 1)) / (time.size()[1] as f64).sqrt();
        Ok(value + (m * flatten(z)).sum_dim_intlist([1].as_slice(), true, z.kind()))
    }
}

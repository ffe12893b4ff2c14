//! The layers that several networks share: z, the condition's features and the time features, joined.

use crate::layers::{self, Activation, Linear, check_dropout, dropout, flat, flatten};
use triflow::prelude::*;

/// The condition through its own layers; then z, condition and time joined in one linear layer, followed by
/// the other hidden layers.
pub struct Trunk {
    condition: Option<layers::Mlp>,
    join: Linear,
    body: Option<layers::Mlp>,
    activation: Activation,
    dropout: f64,
}

impl Trunk {
    /// A trunk of the given widths; its variables are `condition`, `join` and `body`.
    pub fn new(
        ctx: &NetworkContext,
        widths: &[i64],
        activation: Activation,
        dropout: f64,
    ) -> Result<Self> {
        let (Some(&first), Some(&last)) = (widths.first(), widths.last()) else {
            return Err(Error::config("hidden_dims", "needs at least one positive width"));
        };
        check_dropout(dropout)?;
        activation.check_derivatives(&ctx.derivatives)?;
        let mlp = |name: &str, inputs, widths: &[i64]| {
            layers::Mlp::new(&ctx.vars.sub(name), inputs, widths, activation, dropout)
        };
        let condition = match &ctx.condition_shape {
            Some(shape) => Some(mlp("condition", flat(shape), widths)?),
            None => None,
        };
        let mut inputs = vec![flat(&ctx.z_shape), ctx.time_features];
        inputs.extend(condition.as_ref().map(|_| last));
        if first < 1 {
            return Err(Error::config("hidden_dims", "needs at least one positive width"));
        }
        Ok(Self {
            condition,
            join: Linear::joined(&ctx.vars.sub("join"), &inputs, first),
            body: if widths.len() > 1 { Some(mlp("body", first, &widths[1..])?) } else { None },
            activation,
            dropout,
        })
    }

    /// `[batch, last width]`.
    pub fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Tensor {
        let mut parts = vec![flatten(input.z), input.time.shallow_clone()];
        if let (Some(net), Some(condition)) = (&self.condition, input.condition) {
            let features = net.forward(&flatten(&condition.value), pass);
            parts.push(match &condition.present {
                Some(present) => features * present.view([-1, 1]),
                None => features,
            });
        }
        let joined = self.join.forward(&Tensor::cat(&parts, 1));
        let h = dropout(self.activation.apply(&joined), self.dropout, pass);
        match &self.body {
            Some(body) => body.forward(&h, pass),
            None => h,
        }
    }
}

//! The layers that several networks share: z, the features of time and those of the condition, joined.

use crate::crns::same_in_all_rows;
use crate::layers::{
    self, Activation, Linear, check_dropout, check_widths, dropout, flatten, numel,
};
use triflow::derivative::recording;
use triflow::kernels::{Affine, End, chain};
use triflow::prelude::*;

/// The condition through its own layers; then z, time and condition, in this order, joined in one linear layer,
/// followed by the other hidden layers.
pub struct Trunk {
    condition: Option<layers::Mlp>,
    join: Linear,
    body: Option<layers::Mlp>,
    activation: Activation,
    dropout: f64,
    /// Number of the condition's features.
    features: i64,
    /// Whether derivatives with respect to z are used.
    derived: bool,
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
        check_widths(widths)?;
        check_dropout(dropout)?;
        activation.check_derivatives(&ctx.derivatives)?;
        let mlp = |name: &str, inputs, widths: &[i64]| {
            layers::Mlp::new(&ctx.vars.sub(name), inputs, widths, activation, dropout)
        };
        let condition = match &ctx.condition_shape {
            Some(shape) => Some(mlp("condition", numel(shape), widths)?),
            None => None,
        };
        let mut inputs = vec![numel(&ctx.z_shape), ctx.time_features];
        inputs.extend(condition.as_ref().map(|_| last));
        Ok(Self {
            condition,
            join: Linear::joined(&ctx.vars.sub("join"), &inputs, first),
            body: if widths.len() > 1 { Some(mlp("body", first, &widths[1..])?) } else { None },
            activation,
            dropout,
            features: last,
            derived: *ctx.derivatives.end() > 0,
        })
    }

    /// `[batch, last width]`.
    pub fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Tensor {
        self.through(input, pass, None)
    }

    /// The trunk, and `end` after it.
    pub fn through(&self, input: &NetworkInput<'_>, pass: Pass, end: Option<&Linear>) -> Tensor {
        let dropped = self.dropout > 0.0 && pass.dropout;
        if dropped || self.derived {
            let joined = self.join.forward(&Tensor::cat(&self.parts(input, pass), 1));
            let h = dropout(self.activation.apply(&joined), self.dropout, pass);
            let h = match &self.body {
                Some(body) => body.forward(&h, pass),
                None => h,
            };
            return end.map_or_else(|| h.shallow_clone(), |end| end.forward(&h));
        }
        let rest = self.body.iter().flat_map(layers::Mlp::affine);
        let rest: Vec<Affine<'_>> = rest.chain(end.map(Linear::affine)).collect();
        let (activation, after) =
            (self.activation, if end.is_some() { End::Linear } else { End::Activated });
        if pass.training || recording() || !same_in_all_rows(input.time) {
            let layers = [&[self.join.affine()], rest.as_slice()].concat();
            let parts = self.parts(input, pass);
            return chain(&parts.iter().collect::<Vec<_>>(), None, &layers, activation, after);
        }
        // Along a path, what the condition and the time add to the first layer is known before z is.
        let z = flatten(input.z);
        let (of_z, of_time) = (z.size()[1], input.time.size()[1]);
        let time = input.time.narrow(0, 0, 1);
        let time = time.linear(&self.join.columns(of_z, of_time), self.join.affine().bias);
        let seen = input.condition.filter(|_| self.condition.is_some());
        let seen = seen.map(|condition| {
            condition.memoised(self, || {
                let weight = self.join.columns(of_z + of_time, self.features);
                self.features_of(condition, pass).linear(&weight, None::<&Tensor>)
            })
        });
        let (weight, bias) = (self.join.columns(0, of_z), time.reshape([-1]));
        let first = Affine { weight: &weight, bias: Some(&bias) };
        chain(&[&z], seen.as_ref(), &[&[first], rest.as_slice()].concat(), activation, after)
    }

    /// z, the features of time, and those of the condition.
    fn parts(&self, input: &NetworkInput<'_>, pass: Pass) -> Vec<Tensor> {
        let mut parts = vec![flatten(input.z), input.time.shallow_clone()];
        if let (true, Some(condition)) = (self.condition.is_some(), input.condition) {
            parts.push(self.features_of(condition, pass));
        }
        parts
    }

    /// Features of the condition, 0 where it is absent.
    fn features_of(&self, condition: &Condition, pass: Pass) -> Tensor {
        let value = flatten(&condition.value);
        let features =
            self.condition.as_ref().map_or(value.shallow_clone(), |n| n.forward(&value, pass));
        match &condition.present {
            Some(present) => features * present.view([-1, 1]),
            None => features,
        }
    }
}

use crate::crns::same_in_all_rows;
use crate::layers::{self, Activation, Linear, dropout, flatten, numel};
use triflow::derivative::recording;
use triflow::kernels::{Affine, End, chain};
use triflow::prelude::*;

/// Hidden layers of a network over z, the features of time and the condition.
///
/// The condition passes through layers of its own; then z, time and condition, in this order, are
/// the inputs of one linear layer, followed by the other hidden layers.
pub struct Trunk {
    condition: Option<layers::Mlp>,
    join: Linear,
    body: Option<layers::Mlp>,
    activation: Activation,
    dropout: f64,
    /// Number of features of the condition.
    features: i64,
    /// `true` if derivatives with respect to z are used.
    differentiated: bool,
}

impl Trunk {
    /// A trunk of the given widths; its variables are below `condition`, `join` and `body`.
    ///
    /// # Errors
    /// `widths` or `dropout` is out of range, or the activation lacks a derivative that is used.
    pub fn new(
        ctx: &NetworkContext,
        widths: &[i64],
        activation: Activation,
        dropout: f64,
    ) -> Result<Self> {
        let (Some(&first), Some(&last)) = (widths.first(), widths.last()) else {
            return Err(Error::config("hidden_dims", "needs at least one positive width"));
        };
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
            differentiated: *ctx.derivatives.end() > 0,
        })
    }

    /// Features of the last hidden layer, `[batch, last width]`.
    pub fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Tensor {
        self.forward_with(input, pass, None)
    }

    /// Output of the layer `end` after the trunk, `[batch, outputs]`; without it, of the trunk.
    pub fn forward_with(
        &self,
        input: &NetworkInput<'_>,
        pass: Pass,
        end: Option<&Linear>,
    ) -> Tensor {
        let dropped = self.dropout > 0.0 && pass.dropout;
        if dropped || self.differentiated {
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
        // While a path is sampled, all rows share their time and the condition stays: the term of
        // time in the first layer is computed for one row, that of the condition once.
        let z = flatten(input.z);
        let (z_width, time_width) = (z.size()[1], input.time.size()[1]);
        let time = input.time.narrow(0, 0, 1);
        let time = time.linear(&self.join.columns(z_width, time_width), self.join.affine().bias);
        let condition = input.condition.filter(|_| self.condition.is_some());
        let condition = condition.map(|condition| {
            condition.memoised(self, || {
                let weight = self.join.columns(z_width + time_width, self.features);
                self.condition_features(condition, pass).linear(&weight, None::<&Tensor>)
            })
        });
        let (weight, bias) = (self.join.columns(0, z_width), time.reshape([-1]));
        let first = Affine { weight: &weight, bias: Some(&bias) };
        let layers = [&[first], rest.as_slice()].concat();
        chain(&[&z], condition.as_ref(), &layers, activation, after)
    }

    /// Inputs of the first layer: z, the features of time, and those of the condition.
    fn parts(&self, input: &NetworkInput<'_>, pass: Pass) -> Vec<Tensor> {
        let mut parts = vec![flatten(input.z), input.time.shallow_clone()];
        if let (true, Some(condition)) = (self.condition.is_some(), input.condition) {
            parts.push(self.condition_features(condition, pass));
        }
        parts
    }

    /// Features of the condition, `[batch, features]`, 0 where it is absent.
    fn condition_features(&self, condition: &Condition, pass: Pass) -> Tensor {
        let value = flatten(&condition.value);
        let features =
            self.condition.as_ref().map_or(value.shallow_clone(), |n| n.forward(&value, pass));
        match &condition.present {
            Some(present) => features * present.view([-1, 1]),
            None => features,
        }
    }
}

//! A multilayer perceptron over z, the condition's features and the time features.

use crate::layers::{self, Activation, Linear, Start, dropout, flat, flatten, unflatten};
use triflow::prelude::*;

triflow::component! {
    /// A multilayer perceptron over z, the condition's features and the time features.
    ///
    /// The condition passes through its own layers of the same widths; then z, condition and time are
    /// joined in one linear layer, followed by the other hidden layers. The last layer starts at zero.
    pub struct Mlp: Network, NetworkSpec = "mlp" {
        /// Widths of the hidden layers.
        pub hidden_dims: Vec<i64> = vec![64, 64, 64],
        /// Activation after each hidden layer.
        pub activation: Activation = Activation::Swish,
        /// Dropout after each hidden layer, in [0, 1).
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for Mlp {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let (Some(&first), Some(&last)) = (self.hidden_dims.first(), self.hidden_dims.last())
        else {
            return Err(Error::config("hidden_dims", "needs at least one positive width"));
        };
        let mlp = |name: &str, inputs, widths: &[i64]| {
            layers::Mlp::new(&ctx.vars.sub(name), inputs, widths, self.activation, self.dropout)
        };
        let condition = match &ctx.condition_shape {
            Some(shape) => Some(mlp("condition", flat(shape), &self.hidden_dims)?),
            None => None,
        };
        let mut inputs = vec![flat(&ctx.z_shape), ctx.time_features];
        inputs.extend(condition.as_ref().map(|_| last));
        layers::check_dropout(self.dropout)?;
        Ok(Box::new(Joined {
            condition,
            join: Linear::joined(&ctx.vars.sub("join"), &inputs, first),
            body: if self.hidden_dims.len() > 1 {
                Some(mlp("body", first, &self.hidden_dims[1..])?)
            } else {
                None
            },
            out: Linear::new(&ctx.vars.sub("out"), last, flat(&ctx.output_shape), Start::Zero),
            shape: ctx.output_shape.clone(),
            activation: self.activation,
            dropout: self.dropout,
        }))
    }
}

struct Joined {
    condition: Option<layers::Mlp>,
    join: Linear,
    body: Option<layers::Mlp>,
    out: Linear,
    shape: Vec<i64>,
    activation: Activation,
    dropout: f64,
}

impl Network for Joined {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let mut parts = vec![flatten(input.z), input.time.shallow_clone()];
        if let (Some(net), Some(condition)) = (&self.condition, input.condition) {
            let features = net.forward(&flatten(&condition.value), pass);
            parts.push(match &condition.present {
                Some(present) => features * present.view([-1, 1]),
                None => features,
            });
        }
        let joined = self.join.forward(&Tensor::cat(&parts, 1));
        let mut h = dropout(self.activation.apply(&joined), self.dropout, pass);
        if let Some(body) = &self.body {
            h = body.forward(&h, pass);
        }
        Ok(unflatten(self.out.forward(&h), &self.shape))
    }
}

use crate::layers::{Activation, Linear, WeightInit, dropout, flatten, numel, unflatten};
use triflow::prelude::*;

triflow::component! {
    /// Residual blocks h + W2·act(W1·h) over a sum of linear maps of z, time and condition.
    ///
    /// There is no norm. Weights and biases start uniform with variance 1/(3·inputs), also those of
    /// the output layer.
    #[reference = "Cheng and Schwing 2025, arXiv 2503.10636"]
    pub struct ResidualMlp: Network = "residual_mlp" {
        /// Width of the sum and of each block's output.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub width: i64 = 128,
        /// Width of each block's hidden layer.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        pub hidden: i64 = 512,
        /// Number of blocks.
        #[range(min = 1, max = crate::layers::MAX_LAYERS)]
        pub blocks: i64 = 3,
        /// Activation inside each block.
        pub activation: Activation = Activation::Gelu,
        /// Dropout after each activation.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for ResidualMlp {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        self.activation.check_derivatives(&ctx.derivatives)?;
        let with_bias = |name: &str, inputs, outputs, biased| {
            Linear::with_bias(&ctx.vars.sub(name), inputs, outputs, WeightInit::Small, biased)
        };
        let linear = |name: &str, inputs, outputs| with_bias(name, inputs, outputs, true);
        // A bias after the last activation does not change a derivative.
        let constant = *ctx.derivatives.start() == 0;
        let blocks = (0..self.blocks).map(|i| {
            let biased = constant || i + 1 < self.blocks;
            (
                linear(&format!("block_{i}_in"), self.width, self.hidden),
                with_bias(&format!("block_{i}_out"), self.hidden, self.width, biased),
            )
        });
        Ok(Box::new(Residual {
            z: linear("z", numel(&ctx.z_shape), self.width),
            time: linear("time", ctx.time_features, self.width),
            condition: ctx
                .condition_shape
                .as_ref()
                .map(|shape| linear("condition", numel(shape), self.width)),
            blocks: blocks.collect(),
            out: with_bias("out", self.width, numel(&ctx.output_shape), constant),
            shape: ctx.output_shape.clone(),
            activation: self.activation,
            dropout: self.dropout,
        }))
    }
}

struct Residual {
    z: Linear,
    time: Linear,
    condition: Option<Linear>,
    blocks: Vec<(Linear, Linear)>,
    out: Linear,
    shape: Vec<i64>,
    activation: Activation,
    dropout: f64,
}

impl Network for Residual {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let mut h = self.z.forward(&flatten(input.z)) + self.time.forward(input.time);
        if let (Some(net), Some(condition)) = (&self.condition, input.condition) {
            let features = net.forward(&flatten(&condition.value));
            h += match &condition.present {
                Some(present) => features * present.view([-1, 1]),
                None => features,
            };
        }
        for (inner, outer) in &self.blocks {
            let hidden = self.activation.apply(&inner.forward(&h));
            h = &h + outer.forward(&dropout(hidden, self.dropout, pass));
        }
        Ok(unflatten(self.out.forward(&h), &self.shape))
    }
}

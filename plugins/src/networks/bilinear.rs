use super::trunk::Trunk;
use crate::layers::{Activation, Linear, WeightInit, dropout, flatten, numel, unflatten};
use triflow::prelude::*;

triflow::component! {
    /// Products of linear maps of z and of joint features c: W·act((U z + p)·(V c + q)).
    ///
    /// The features c are a linear layer (`join`) over z, the features of time and those of the
    /// condition, in this order, the activation, and the other hidden layers. V c + q starts around
    /// 1, so that the products start near U z + p; W starts at zero.
    pub struct Bilinear: Network = "bilinear" {
        /// Widths of the hidden layers that give c; the last is also the number of products.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        #[length(min = 1, max = crate::layers::MAX_LAYERS)]
        pub hidden_dims: Vec<i64> = vec![64, 64],
        /// Activation after each hidden layer and after the products.
        pub activation: Activation = Activation::Swish,
        /// Dropout after each activation.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for Bilinear {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let features = Trunk::new(ctx, &self.hidden_dims, self.activation, self.dropout)?;
        let width = self.hidden_dims.last().copied().unwrap_or_default();
        let constant = *ctx.derivatives.start() == 0;
        let (vars, outputs) = (ctx.vars.sub("out"), numel(&ctx.output_shape));
        Ok(Box::new(BilinearNetwork {
            features,
            z: Linear::new(&ctx.vars.sub("z"), numel(&ctx.z_shape), width, WeightInit::LeCun),
            factor: Linear::around_one(&ctx.vars.sub("factor"), width, width),
            out: Linear::with_bias(&vars, width, outputs, WeightInit::Zero, constant),
            shape: ctx.output_shape.clone(),
            activation: self.activation,
            dropout: self.dropout,
        }))
    }
}

struct BilinearNetwork {
    features: Trunk,
    z: Linear,
    factor: Linear,
    out: Linear,
    shape: Vec<i64>,
    activation: Activation,
    dropout: f64,
}

impl Network for BilinearNetwork {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        let factors = self.factor.forward(&self.features.forward(input, pass));
        let products = self.z.forward(&flatten(input.z)) * factors;
        let h = dropout(self.activation.apply(&products), self.dropout, pass);
        Ok(unflatten(self.out.forward(&h), &self.shape))
    }
}

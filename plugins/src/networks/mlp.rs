use super::trunk::Trunk;
use crate::layers::{Activation, Linear, WeightInit, numel, unflatten};
use triflow::prelude::*;

triflow::component! {
    /// A multilayer perceptron over z, features of time and features of the condition.
    ///
    /// The condition passes through layers of its own (`condition`) of the same widths, an
    /// activation after each. Then z, the features of time and those of the condition, in this
    /// order, are the inputs of one linear layer (`join`), followed by the other hidden layers
    /// (`body`). The last layer (`out`) starts at zero. The features of an absent condition are 0.
    pub struct Mlp: Network = "mlp" {
        /// Widths of the hidden layers.
        #[range(min = 1, max = crate::layers::MAX_FEATURES)]
        #[length(min = 1, max = crate::layers::MAX_LAYERS)]
        pub hidden_dims: Vec<i64> = vec![64, 64, 64],
        /// Activation after each hidden layer.
        pub activation: Activation = Activation::Swish,
        /// Dropout after each hidden layer.
        #[range(min = 0, below = 1)]
        pub dropout: f64 = 0.0,
    }
}

impl Spec<dyn Network> for Mlp {
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let trunk = Trunk::new(ctx, &self.hidden_dims, self.activation, self.dropout)?;
        let last = self.hidden_dims.last().copied().unwrap_or_default();
        let constant = *ctx.derivatives.start() == 0;
        let (vars, outputs) = (ctx.vars.sub("out"), numel(&ctx.output_shape));
        Ok(Box::new(Perceptron {
            trunk,
            out: Linear::with_bias(&vars, last, outputs, WeightInit::Zero, constant),
            shape: ctx.output_shape.clone(),
        }))
    }
}

struct Perceptron {
    trunk: Trunk,
    out: Linear,
    shape: Vec<i64>,
}

impl Network for Perceptron {
    fn forward(&self, input: &NetworkInput<'_>, pass: Pass) -> Result<Tensor> {
        Ok(unflatten(self.trunk.forward_with(input, pass, Some(&self.out)), &self.shape))
    }
}

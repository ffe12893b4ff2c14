//! A decoder: the map from latent to target.

use triflow::prelude::*;

triflow::component! {
    /// One hidden layer from the flattened latent to the target.
    pub struct MyComponent: Decoder = "my_component" {
        /// Width of the hidden layer.
        #[range(min = 1)]
        pub width: i64 = 32,
    }
}

impl Spec<dyn Decoder> for MyComponent {
    /// Creates the layers for the shapes of `ctx`; all variables are created in `ctx.vars`.
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Decoder>> {
        let target = ctx.target_shape.clone();
        let (inputs, outputs) = (ctx.latent()?.iter().product(), target.iter().product());
        let hidden = nn::linear(&ctx.vars / "hidden", inputs, self.width, Default::default());
        let out = nn::linear(&ctx.vars / "out", self.width, outputs, Default::default());
        Ok(Box::new(Layers { hidden, out, target }))
    }
}

struct Layers {
    hidden: nn::Linear,
    out: nn::Linear,
    target: Vec<i64>,
}

impl Decoder for Layers {
    /// `z` is `[batch, …z_shape]`.
    fn decode(&self, z: &Tensor, _: Pass) -> Result<Tensor> {
        let values = z.flatten(1, -1).apply(&self.hidden).tanh().apply(&self.out);
        Ok(values.reshape([&[-1], self.target.as_slice()].concat()))
    }

    /// Values, compared by squared error.
    fn likelihood(&self) -> Result<Likelihood> {
        Ok(Likelihood::Gaussian)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

//! An encoder: the map from target to latent.

use triflow::prelude::*;

triflow::component! {
    /// One hidden layer from the flattened target to the latent.
    pub struct MyComponent: Encoder = "my_component" {
        /// Width of the hidden layer.
        #[range(min = 1)]
        pub width: i64 = 32,
    }
}

impl Spec<dyn Encoder> for MyComponent {
    /// Creates the layers for the shapes of `ctx`; all variables are created in `ctx.vars`.
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Encoder>> {
        let latent = ctx.latent()?.to_vec();
        let (inputs, outputs) = (ctx.target_shape.iter().product(), latent.iter().product());
        let hidden = nn::linear(&ctx.vars / "hidden", inputs, self.width, Default::default());
        let out = nn::linear(&ctx.vars / "out", self.width, outputs, Default::default());
        Ok(Box::new(Layers { hidden, out, latent }))
    }
}

struct Layers {
    hidden: nn::Linear,
    out: nn::Linear,
    latent: Vec<i64>,
}

impl Encoder for Layers {
    fn latent_shape(&self) -> Result<Vec<i64>> {
        Ok(self.latent.clone())
    }

    /// `target` is `[batch, …target_shape]`; without a log-variance the latent is a point.
    fn encode(&self, target: &Tensor, _: Pass) -> Result<Posterior> {
        let mean = target.flatten(1, -1).apply(&self.hidden).tanh().apply(&self.out);
        let mean = mean.reshape([&[-1], self.latent.as_slice()].concat());
        Ok(Posterior { mean, log_variance: None })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

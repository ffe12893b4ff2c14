//! A network: the backbone of a conditional residual network (CRN).

use triflow::prelude::*;

triflow::component! {
    /// One hidden layer over z, the condition and the time features.
    pub struct MyComponent: Network = "my_component" {
        /// Width of the hidden layer.
        #[range(min = 1)]
        pub width: i64 = 128,
    }
}

impl Spec<dyn Network> for MyComponent {
    /// Creates the layers for the shapes of `ctx`; all variables are created in `ctx.vars`.
    fn build(&self, ctx: &NetworkContext) -> Result<Box<dyn Network>> {
        let z: i64 = ctx.z_shape.iter().product();
        let condition = ctx.condition_shape.as_ref().map_or(0, |shape| shape.iter().product());
        let inputs = z + condition + ctx.time_features;
        let output = ctx.output_shape.clone();
        let hidden = nn::linear(&ctx.vars / "hidden", inputs, self.width, Default::default());
        let out =
            nn::linear(&ctx.vars / "out", self.width, output.iter().product(), Default::default());
        Ok(Box::new(Layers { hidden, out, output }))
    }
}

struct Layers {
    hidden: nn::Linear,
    out: nn::Linear,
    output: Vec<i64>,
}

impl Network for Layers {
    /// `input.z` is `[batch, …z_shape]`, `input.time` `[batch, time_features]`.
    fn forward(&self, input: &NetworkInput<'_>, _: Pass) -> Result<Tensor> {
        let mut parts = vec![input.z.flatten(1, -1), input.time.shallow_clone()];
        if let Some(condition) = input.condition {
            let value = condition.value.flatten(1, -1);
            parts.push(match &condition.present {
                // The value of an absent condition must not matter.
                Some(present) => value * present.unsqueeze(1),
                None => value,
            });
        }
        let output = Tensor::cat(&parts, 1).apply(&self.hidden).silu().apply(&self.out);
        Ok(output.reshape([&[-1], self.output.as_slice()].concat()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

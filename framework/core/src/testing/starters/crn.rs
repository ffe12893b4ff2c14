//! A conditional residual network (CRN) f(z, x, t).

use triflow::prelude::*;

triflow::component! {
    /// One hidden layer over z, sines of time and the condition.
    pub struct MyComponent: Crn = "my_component" {
        /// Width of the hidden layer.
        #[range(min = 1)]
        pub width: i64 = 128,
        /// Number of sines sin(πkt) of time.
        #[range(min = 1)]
        pub waves: i64 = 8,
    }
}

impl Spec<dyn Crn> for MyComponent {
    /// Creates the layers for the shapes of `ctx`; all variables are created in `ctx.vars`.
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn Crn>> {
        let entries: i64 = ctx.latent()?.iter().product();
        let condition = ctx.condition_shape.as_ref().map_or(0, |shape| shape.iter().product());
        let inputs = entries + self.waves + condition;
        let hidden = nn::linear(&ctx.vars / "hidden", inputs, self.width, Default::default());
        let out = nn::linear(&ctx.vars / "out", self.width, entries, Default::default());
        Ok(Box::new(Layers { hidden, out, waves: self.waves }))
    }
}

struct Layers {
    hidden: nn::Linear,
    out: nn::Linear,
    waves: i64,
}

impl Crn for Layers {
    /// Input `z` and output are `[batch, …z_shape]`.
    fn forward(&self, input: &CrnInput<'_>, _: Pass) -> Result<Tensor> {
        let (z, time) = (input.z, input.time.unsqueeze(1));
        let k = Tensor::arange_start(1, self.waves + 1, (z.kind(), z.device()));
        let mut parts = vec![z.flatten(1, -1), (time * k * std::f64::consts::PI).sin()];
        if let Some(condition) = input.condition {
            let value = condition.value.flatten(1, -1);
            parts.push(match &condition.present {
                // The value of an absent condition must not matter.
                Some(present) => value * present.unsqueeze(1),
                None => value,
            });
        }
        let output = Tensor::cat(&parts, 1).apply(&self.hidden).silu().apply(&self.out);
        Ok(output.view_as(z))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

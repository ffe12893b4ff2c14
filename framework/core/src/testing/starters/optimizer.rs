//! An optimizer: the rule that updates the parameters from their gradient.

use triflow::prelude::*;

triflow::component! {
    /// Lion: steps of constant size, along the sign of a running mean of the gradient.
    #[reference = "Chen et al. 2023, arXiv 2302.06675"]
    pub struct MyComponent: Optimizer = "my_component" {
        /// Base learning rate.
        #[range(above = 0)]
        pub learning_rate: f64 = 1e-4,
        /// Weight of the running mean in the direction of a step.
        #[range(min = 0, below = 1)]
        pub beta1: f64 = 0.9,
        /// Decay of the running mean.
        #[range(min = 0, below = 1)]
        pub beta2: f64 = 0.99,
    }
}

impl Spec<dyn Optimizer> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for MyComponent {
    fn learning_rate(&self) -> Result<f64> {
        Ok(self.learning_rate)
    }

    /// Everything kept between steps is named here and saved in checkpoints.
    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(vec![("mean", 0.0)])
    }

    /// Changes `parameters` in place; all tensors are `[parameters]`, `learning_rate` and
    /// `state.step` are `[]`.
    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: &Tensor,
    ) -> Result<()> {
        let [mean] = state.moments.as_mut_slice() else {
            return Err(Error::runtime("the optimizer's state does not fit: it has other moments"));
        };
        *parameters += mean.lerp(gradient, 1.0 - self.beta1).sign() * -learning_rate;
        let _ = mean.lerp_(gradient, 1.0 - self.beta2);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

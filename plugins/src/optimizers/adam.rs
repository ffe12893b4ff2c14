//! Adam: steps scaled by running moments of the gradient.

use super::adam_step;
use triflow::prelude::*;

triflow::component! {
    /// Adam: steps scaled by running moments of the gradient.
    #[reference = "Kingma and Ba 2014, arXiv 1412.6980"]
    pub struct Adam: Optimizer, OptimizerSpec = "adam" {
        /// Base learning rate, above 0.
        pub learning_rate: f64 = 1e-3,
        /// Decay of the mean of gradients, in [0, 1).
        pub beta1: f64 = 0.9,
        /// Decay of the mean of squared gradients, in [0, 1).
        pub beta2: f64 = 0.999,
        /// Added to the root of the second moment.
        pub eps: f64 = 1e-8,
    }
}

impl Spec<dyn Optimizer> for Adam {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for Adam {
    fn learning_rate(&self) -> Result<f64> {
        Ok(self.learning_rate)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(vec![("mean", 0.0), ("square", 0.0)])
    }

    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: f64,
    ) -> Result<()> {
        adam_step(
            parameters,
            gradient,
            state,
            learning_rate,
            (self.beta1, self.beta2),
            self.eps,
            0.0,
        )
    }
}

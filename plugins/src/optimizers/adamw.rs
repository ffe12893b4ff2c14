//! Adam with decoupled weight decay.

use super::adam_step;
use triflow::prelude::*;

triflow::component! {
    /// Adam with decoupled weight decay.
    #[reference = "Loshchilov and Hutter 2017, arXiv 1711.05101"]
    pub struct Adamw: Optimizer, OptimizerSpec = "adamw" {
        /// Base learning rate, above 0.
        pub learning_rate: f64 = 1e-3,
        /// Decay of the mean of gradients, in [0, 1).
        pub beta1: f64 = 0.9,
        /// Decay of the mean of squared gradients, in [0, 1).
        pub beta2: f64 = 0.999,
        /// Added to the root of the second moment.
        pub eps: f64 = 1e-8,
        /// Share of each parameter lost a step, times the learning rate.
        pub weight_decay: f64 = 0.01,
    }
}

impl Spec<dyn Optimizer> for Adamw {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for Adamw {
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
            self.weight_decay,
        )
    }
}

//! Adam: steps scaled by running moments of the gradient.

use super::adam_rule::AdamRule;
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
        let rule = AdamRule {
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            weight_decay: 0.0,
        };
        rule.checked()
    }
}

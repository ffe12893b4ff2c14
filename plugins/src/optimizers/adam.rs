use super::adam_rule::AdamRule;
use triflow::prelude::*;

triflow::component! {
    /// Adam: steps of the mean gradient divided by the root of the mean squared gradient.
    #[reference = "Kingma and Ba 2014, arXiv 1412.6980"]
    pub struct Adam: Optimizer = "adam" {
        /// Base learning rate.
        #[range(above = 0)]
        pub learning_rate: f64 = 1e-3,
        /// Decay of the running mean of gradients.
        #[range(min = 0, below = 1)]
        pub beta1: f64 = 0.9,
        /// Decay of the running mean of squared gradients.
        #[range(min = 0, below = 1)]
        pub beta2: f64 = 0.999,
        /// Constant added to the root.
        #[range(min = 0)]
        pub eps: f64 = 1e-8,
    }
}

impl Spec<dyn Optimizer> for Adam {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(AdamRule {
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            weight_decay: 0.0,
        }))
    }
}

use super::adam_rule::AdamRule;
use triflow::prelude::*;

triflow::component! {
    /// AdamW: Adam with decoupled weight decay.
    #[reference = "Loshchilov and Hutter 2017, arXiv 1711.05101"]
    pub struct Adamw: Optimizer = "adamw" {
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
        /// Weight decay: each step subtracts learning rate · weight decay · parameter.
        #[range(min = 0)]
        pub weight_decay: f64 = 0.01,
    }
}

impl Spec<dyn Optimizer> for Adamw {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(AdamRule {
            learning_rate: self.learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            weight_decay: self.weight_decay,
        }))
    }
}

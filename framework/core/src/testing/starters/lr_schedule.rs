//! A learning-rate schedule: a factor on the optimizer's learning rate over training.

use triflow::prelude::*;

triflow::component! {
    /// Constant, then a linear fall to 0 over the last part of training.
    #[reference = "Hu et al. 2024, arXiv 2404.06395"]
    pub struct MyComponent: LrSchedule = "my_component" {
        /// Share of the steps over which the learning rate falls.
        #[range(min = 0, max = 1)]
        pub share: f64 = 0.2,
    }
}

impl Spec<dyn LrSchedule> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, (): &()) -> Result<Box<dyn LrSchedule>> {
        Ok(Box::new(self.clone()))
    }
}

impl LrSchedule for MyComponent {
    /// Depends on the step, from 0, and on the number of planned steps alone.
    fn factor(&self, step: u64, total: u64) -> Result<f64> {
        let (left, falling) = (total.saturating_sub(step) as f64, self.share * total as f64);
        Ok(if left < falling { left / falling } else { 1.0 })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

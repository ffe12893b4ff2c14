//! A loss weighting: the weight of errors over time.

use triflow::prelude::*;

triflow::component! {
    /// Noise errors with less weight at low noise, where details are learned that nobody sees.
    ///
    /// The error of the noise has the weight 1/(offset + SNR)^power.
    #[reference = "Choi et al. 2022, arXiv 2204.00227"]
    pub struct MyComponent: LossWeighting = "my_component" {
        /// Offset of the SNR.
        #[range(above = 0)]
        pub offset: f64 = 1.0,
        /// Power: at 0 all noise errors weigh 1.
        #[range(min = 0)]
        pub power: f64 = 1.0,
    }
}

impl Spec<dyn LossWeighting> for MyComponent {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for MyComponent {
    /// Weight at points of the path, `[batch]`, and the error that has it: of the noise, the data,
    /// the velocity, or the output as it is.
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        Ok(Weight::Noise((point.snr() + self.offset).pow_tensor_scalar(-self.power)))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

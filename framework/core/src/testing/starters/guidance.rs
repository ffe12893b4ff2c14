//! Guidance: an additional force on samples.

use triflow::prelude::*;

triflow::component! {
    /// Pulls samples towards the origin, by the energy strength/2·|data|².
    #[reference = "Dhariwal & Nichol 2021, arXiv 2105.05233"]
    pub struct MyComponent: Guidance = "my_component" {
        /// Strength of the pull.
        #[range(min = 0)]
        pub strength: f64 = 1.0,
    }
}

impl Spec<dyn Guidance> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, (): &()) -> Result<Box<dyn Guidance>> {
        Ok(Box::new(self.clone()))
    }
}

impl Guidance for MyComponent {
    /// Negative gradient of the energy with respect to the state; the derivative of the data with
    /// respect to the state is approximated by a.
    fn force(&self, at: &GuidanceInput<'_>) -> Result<Tensor> {
        Ok(at.data * rows(at.a, at.z).to_kind(at.z.kind()) * -self.strength)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

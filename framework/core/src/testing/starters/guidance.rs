//! Guidance: a further force on samples along their way.

use triflow::prelude::*;

triflow::component! {
    /// Pulls the samples towards the origin: the energy is strength/2·|data|².
    #[reference = "Dhariwal & Nichol 2021, arXiv 2105.05233"]
    pub struct MyComponent: Guidance, GuidanceSpec = "my_component" {
        /// How strong the pull is, at least 0.
        pub strength: f64 = 1.0,
    }
}

impl Spec<dyn Guidance> for MyComponent {
    /// Checks the parameters.
    fn build(&self, (): &()) -> Result<Box<dyn Guidance>> {
        if self.strength >= 0.0 {
            return Ok(Box::new(self.clone()));
        }
        Err(Error::config("strength", "needs a number of at least 0"))
    }
}

impl Guidance for MyComponent {
    /// The negative gradient of the energy by the state, which the data are taken to follow by the share a.
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

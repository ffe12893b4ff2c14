//! A recovery: what follows when the training diverges.

use triflow::prelude::*;

triflow::component! {
    /// A single return to the last planned checkpoint, with a smaller learning rate.
    pub struct MyComponent: Recovery = "my_component" {
        /// Factor on the learning rate.
        #[range(above = 0)]
        pub factor: f64 = 0.1,
    }
}

impl Spec<dyn Recovery> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, (): &()) -> Result<Box<dyn Recovery>> {
        Ok(Box::new(self.clone()))
    }
}

impl Recovery for MyComponent {
    /// Depends on the returns alone.
    fn factor(&self, before: &[Restore]) -> Result<Option<f64>> {
        Ok(before.is_empty().then_some(self.factor))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

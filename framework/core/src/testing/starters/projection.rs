//! A projection of the predicted data while sampling.

use triflow::prelude::*;

triflow::component! {
    /// Data whose entries have at most a given root mean square: longer rows are shortened to it.
    pub struct MyComponent: Projection = "my_component" {
        /// Largest root mean square of a row.
        #[range(above = 0)]
        pub largest: f64 = 1.0,
    }
}

impl Spec<dyn Projection> for MyComponent {
    fn build(&self, (): &()) -> Result<Box<dyn Projection>> {
        Ok(Box::new(self.clone()))
    }
}

impl Projection for MyComponent {
    /// Shortens rows `[batch, …]`, each by its own factor.
    fn project(&self, data: &Tensor) -> Result<Tensor> {
        let size = data.flatten(1, -1).square().mean_dim(1, false, data.kind()).sqrt();
        Ok(data * rows(&(size / self.largest).clamp_min(1.0).reciprocal(), data))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

//! An objective: the meaning of the network's output.

use triflow::prelude::*;

triflow::component! {
    /// The network predicts the part of data and noise that z does not determine, scaled to
    /// variance 1.
    ///
    /// Output = (b·data - a·sigma_data²·noise) / (sigma_data·S) with S² = a²·sigma_data² + b².
    #[reference = "Karras et al. 2022, arXiv 2206.00364, table 1"]
    pub struct MyComponent: Objective = "my_component" {
        /// Standard deviation of the data.
        #[range(above = 0)]
        pub sigma_data: f64 = 1.0,
    }
}

impl Spec<dyn Objective> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for MyComponent {
    /// (p, q) of the output p·data + q·noise; loss and sampling follow from them.
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        let spread = ((&point.a * self.sigma_data).square() + point.b.square()).sqrt();
        let p = &point.b / (&spread * self.sigma_data);
        let q = &point.a * -self.sigma_data / spread;
        Ok((p, q))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

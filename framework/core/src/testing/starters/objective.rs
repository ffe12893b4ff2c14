//! An objective: the meaning of the network's output.

use triflow::prelude::*;

triflow::component! {
    /// The network predicts a difference of data and noise: each counts more the less of it is in
    /// z.
    ///
    /// Output = b^power·data - a^power·noise.
    pub struct MyComponent: Objective = "my_component" {
        /// Power: 0 gives the target of flow matching, 1 that of v-prediction.
        #[range(min = 0)]
        pub power: f64 = 2.0,
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
        let power = |level: &Tensor| level.pow_tensor_scalar(self.power);
        Ok((power(&point.b), power(&point.a).neg()))
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

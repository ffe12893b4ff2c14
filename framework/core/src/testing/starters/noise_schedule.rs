//! A noise schedule: log-SNR over time.

use triflow::prelude::*;

triflow::component! {
    /// Log-SNR that rises from -range to range along a parabola.
    ///
    /// γ(t) = range·(2u - 1) with u = t + bend·t·(t - 1).
    pub struct MyComponent: NoiseSchedule = "my_component" {
        /// Log-SNR at t = 1; at t = 0 it is the negative.
        #[range(above = 0, max = 80)]
        pub range: f64 = 6.0,
        /// Curvature: above 0 more time is spent at high noise, at 0 the rise is linear.
        #[range(above = -1, below = 1)]
        pub bend: f64 = 0.3,
    }
}

impl Spec<dyn NoiseSchedule> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        Ok(Box::new(self.clone()))
    }
}

impl NoiseSchedule for MyComponent {
    /// Log-SNR at `t`, `[batch]`. Derivative and inverse are derived from it.
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let u = t + t * (t - 1.0) * self.bend;
        Ok((u * 2.0 - 1.0) * self.range)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

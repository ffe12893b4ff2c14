//! A noise schedule: log-SNR over time.

use triflow::prelude::*;

triflow::component! {
    /// Log-SNR that rises from -range to range along a parabola.
    ///
    /// γ(t) = range·(2u - 1) with u = t + bend·t·(t - 1).
    pub struct MyComponent: NoiseSchedule = "my_component" {
        /// Log-SNR at t = 1, in (0, 80]; at t = 0 it is the negative.
        pub range: f64 = 6.0,
        /// Curvature, in (-1, 1): above 0 more time is spent at high noise, at 0 the rise is
        /// linear.
        pub bend: f64 = 0.3,
    }
}

impl Spec<dyn NoiseSchedule> for MyComponent {
    /// Checks the parameters.
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        if self.range > 0.0 && self.bend.abs() < 1.0 {
            return Ok(Box::new(self.clone()));
        }
        Err(Error::config("", "needs range > 0 and -1 < bend < 1"))
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

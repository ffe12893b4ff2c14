//! A time sampler: the distribution of the times t in training.

use triflow::prelude::*;

triflow::component! {
    /// Uniform times, moved towards the noise, as for images of a higher resolution.
    ///
    /// t = u/(u + shift·(1 - u)) with u uniform on [0, 1).
    #[reference = "Esser et al. 2024, arXiv 2403.03206, equation 23"]
    pub struct MyComponent: TimeSampler = "my_component" {
        /// Factor on the odds of noise: above 1 more times are near the noise.
        #[range(above = 0)]
        pub shift: f64 = 3.0,
    }
}

impl Spec<dyn TimeSampler> for MyComponent {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        Ok(Box::new(self.clone()))
    }
}

impl TimeSampler for MyComponent {
    /// Times at quantiles `u`, `[batch]`. `Quantiles::with_slope` takes the derivative dt/du as
    /// well, for a distribution that shall not change the loss.
    fn quantiles(&self, u: &Tensor, _: &Tensor) -> Result<Quantiles> {
        Ok(Quantiles::new(u / (u + (1.0 - u) * self.shift)))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

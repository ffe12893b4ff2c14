//! A path: the coefficients of data and noise over time.

use triflow::prelude::*;

triflow::component! {
    /// Path on which the data come in a straight line, and the noise leaves by a power.
    ///
    /// a = t, b = (1 − t)^power.
    pub struct MyComponent: GaussianPath = "my_component" {
        /// Power of the noise.
        #[range(above = 0)]
        pub power: f64 = 2.0,
    }
}

impl Spec<dyn GaussianPath> for MyComponent {
    /// Builds what runs: here the spec itself. A path that follows the experiment's noise schedule
    /// takes it from the context.
    fn build(&self, _: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(self.clone()))
    }
}

impl GaussianPath for MyComponent {
    /// The coefficients (a, b); their derivatives, log-SNR and its inverse follow from them.
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        Ok(Coefficients::new(t.shallow_clone(), t.rsub_scalar(1.0).pow_tensor_scalar(self.power)))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

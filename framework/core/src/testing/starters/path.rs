//! A path: the coefficients of data and noise over time.

use triflow::prelude::*;

triflow::component! {
    /// Path on which the data come in a straight line, and the noise leaves by a power.
    ///
    /// a = t, b = (1 − t)^power.
    pub struct MyComponent: GaussianPath = "my_component" {
        /// Power of the noise, above 0.
        pub power: f64 = 2.0,
    }
}

impl Spec<dyn GaussianPath> for MyComponent {
    /// Checks the parameters; a path that follows a noise schedule takes it from the context.
    fn build(&self, _: &PathContext) -> Result<Box<dyn GaussianPath>> {
        if self.power > 0.0 && self.power.is_finite() {
            return Ok(Box::new(self.clone()));
        }
        Err(Error::config("power", format!("needs a number above 0, got {}", self.power)))
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

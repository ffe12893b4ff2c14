//! A source: the distribution of z_0.

use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// Independent entries from a Laplace distribution, whose tails are longer than those of a
    /// normal one.
    pub struct MyComponent: Source = "my_component" {
        /// Scale; the standard deviation is √2 times as large.
        pub scale: f64 = 1.0,
    }
}

impl Spec<dyn Source> for MyComponent {
    /// Checks the parameters; `ctx.z_shape` is the shape of one z_0.
    fn build(&self, _: &SourceContext) -> Result<Box<dyn Source>> {
        if self.scale > 0.0 && self.scale.is_finite() {
            return Ok(Box::new(self.clone()));
        }
        Err(Error::config("scale", format!("needs a number above 0, got {}", self.scale)))
    }
}

impl Source for MyComponent {
    /// The difference of two exponential draws, −ln(1 − u) each.
    fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        let log = || Ok::<_, Error>(draws.uniform(shape, options)?.neg().log1p());
        Ok((log()? - log()?) * self.scale)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

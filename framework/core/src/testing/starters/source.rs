//! A source: the distribution of z_0.

use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// Independent entries from a Laplace distribution, whose tails are longer than those of a
    /// normal one.
    pub struct MyComponent: Source = "my_component" {
        /// Scale; the standard deviation is √2 times as large.
        #[range(above = 0)]
        pub scale: f64 = 1.0,
    }
}

impl Spec<dyn Source> for MyComponent {
    /// Checks the parameters; `ctx.z_shape` is the shape of one z_0.
    fn build(&self, _: &SourceContext) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
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

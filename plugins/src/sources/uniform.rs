use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// The uniform distribution on a box, with one interval for all entries.
    pub struct Uniform: Source = "uniform" {
        /// Lower end.
        pub low: f64 = -1.0,
        /// Upper end, above the lower.
        pub high: f64 = 1.0,
    }
}

impl Spec<dyn Source> for Uniform {
    fn build(&self, _: &SourceContext) -> Result<Box<dyn Source>> {
        let width = self.high - self.low;
        if width.is_finite() && width > 0.0 {
            return Ok(Box::new(self.clone()));
        }
        let message = format!("needs a number above `low`, {}, got {}", self.low, self.high);
        Err(Error::config("high", message))
    }
}

impl Source for Uniform {
    fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        Ok(draws.uniform(shape, options)? * (self.high - self.low) + self.low)
    }
}

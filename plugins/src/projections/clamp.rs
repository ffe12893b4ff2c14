use super::interval;
use triflow::prelude::*;

triflow::component! {
    /// Entries cut off at the ends of an interval.
    ///
    /// The ends are in the data's own units where the encoder is the identity, such as 0 and 1 for
    /// images from bytes, and otherwise in those of the latent.
    #[reference = "Ho et al. 2020, arXiv 2006.11239"]
    pub struct Clamp: Projection = "clamp" {
        /// Lower end.
        pub low: f64 = 0.0,
        /// Upper end, above the lower.
        pub high: f64 = 1.0,
    }
}

impl Spec<dyn Projection> for Clamp {
    fn build(&self, (): &()) -> Result<Box<dyn Projection>> {
        interval(self.low, self.high)?;
        Ok(Box::new(self.clone()))
    }
}

impl Projection for Clamp {
    fn project(&self, data: &Tensor) -> Result<Tensor> {
        Ok(data.clamp(self.low, self.high))
    }
}

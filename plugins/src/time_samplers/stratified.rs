use triflow::prelude::*;

triflow::component! {
    /// Uniform times, one in each of `batch` equal intervals of [0, 1], which has less variance.
    pub struct Stratified: TimeSampler = "stratified" {}
}

impl Spec<dyn TimeSampler> for Stratified {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        Ok(Box::new(self.clone()))
    }
}

impl TimeSampler for Stratified {
    fn quantiles(&self, u: &Tensor, _: &Tensor) -> Result<Quantiles> {
        Ok(Quantiles::new(u.shallow_clone()))
    }
}

use triflow::prelude::*;

triflow::component! {
    /// Independent times, uniform on [0, 1].
    pub struct Uniform: TimeSampler = "uniform" {}
}

impl Spec<dyn TimeSampler> for Uniform {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        Ok(Box::new(self.clone()))
    }
}

impl TimeSampler for Uniform {
    fn quantiles(&self, u: &Tensor, _: &Tensor) -> Result<Quantiles> {
        Ok(Quantiles::new(u.shallow_clone()))
    }

    fn stratified(&self) -> Result<bool> {
        Ok(false)
    }
}

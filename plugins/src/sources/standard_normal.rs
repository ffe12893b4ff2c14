use triflow::prelude::*;
use triflow::tch::{Device, Kind};

triflow::component! {
    /// The standard normal distribution N(0, I).
    ///
    /// It is the source of diffusion; scores and likelihoods need it.
    #[aliases("normal", "gaussian")]
    pub struct StandardNormal: Source = "standard_normal" {}
}

impl Spec<dyn Source> for StandardNormal {
    fn build(&self, _: &SourceContext) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for StandardNormal {
    fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (Kind, Device)) -> Result<Tensor> {
        draws.normal(shape, options)
    }

    fn is_standard_normal(&self) -> Result<bool> {
        Ok(true)
    }
}

use triflow::prelude::*;

triflow::component! {
    /// Diffusion: the network predicts the noise in z_t.
    ///
    /// Output = noise, on the variance-preserving path.
    #[reference = "Ho et al. 2020, arXiv 2006.11239"]
    pub struct Diffusion: Objective = "diffusion" {}
}

impl Spec<dyn Objective> for Diffusion {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for Diffusion {
    fn mix(&self, _: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        Ok((Tensor::from(0.0), Tensor::from(1.0)))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

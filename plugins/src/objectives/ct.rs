use triflow::prelude::*;

triflow::component! {
    /// Continuous-time target prediction: the network predicts the data, the clean target.
    ///
    /// Output = data, on the variance-preserving path; under the bound the error is weighted by
    /// SNR'.
    #[reference = "Li, Teh and Pascanu 2025, arXiv 2503.24322; \
                   Kingma et al. 2021, arXiv 2107.00630"]
    pub struct Ct: Objective = "ct" {}
}

impl Spec<dyn Objective> for Ct {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for Ct {
    fn mix(&self, _: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        Ok((Tensor::from(1.0), Tensor::from(0.0)))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

use triflow::prelude::*;

triflow::component! {
    /// Score matching: the network predicts the score, the gradient of ln p_t at z.
    ///
    /// Output = −noise/b. It grows as 1/b near the data, so a weight of the loss has to fall with
    /// b, as `elbo` does.
    #[reference = "Song et al. 2021, arXiv 2011.13456; Vincent 2011, Neural Computation 23(7)"]
    pub struct Score: Objective = "score" {}
}

impl Spec<dyn Objective> for Score {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for Score {
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        Ok((point.b.zeros_like(), point.b.reciprocal().neg()))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

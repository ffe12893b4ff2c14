use triflow::prelude::*;

triflow::component! {
    /// Predicted latents decoded and encoded again, so that the predicted data are what the decoder
    /// makes of them.
    ///
    /// With the encoder and decoder `mixed` the embedding of a category becomes the mean of all
    /// embeddings, weighted by their probabilities: score interpolation. The decoder must have
    /// learned from predictions (`loss.recon_weight` above 0), or its probabilities are those of a
    /// finished latent.
    #[reference = "Dieleman et al. 2022, Continuous Diffusion for Categorical Data, arXiv:2211.15089"]
    pub struct Recode: Projection = "recode" {}
}

impl Spec<dyn Projection> for Recode {
    fn build(&self, (): &()) -> Result<Box<dyn Projection>> {
        Ok(Box::new(self.clone()))
    }
}

impl Projection for Recode {
    fn project(&self, data: &Tensor) -> Result<Tensor> {
        Ok(data.shallow_clone())
    }

    fn decodes(&self) -> Result<bool> {
        Ok(true)
    }
}

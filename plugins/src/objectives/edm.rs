use triflow::prelude::*;

triflow::component! {
    /// Preconditioned denoising: the network predicts the part of the data that z does not tell,
    /// scaled to variance 1.
    ///
    /// With σ = b/a, data = c_skip·z/a + c_out·output, c_skip = sigma_data²/(σ² + sigma_data²),
    /// c_out = σ·sigma_data/√(σ² + sigma_data²). So output = (b·data/sigma_data −
    /// a·sigma_data·noise)/√(a²·sigma_data² + b²).
    #[reference = "Karras et al. 2022, arXiv 2206.00364, table 1"]
    pub struct Edm: Objective = "edm" {
        /// Standard deviation of the data; 1 for standardised data.
        #[range(above = 0, max = 1e6)]
        pub sigma_data: f64 = 1.0,
    }
}

impl Spec<dyn Objective> for Edm {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for Edm {
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        let spread = ((&point.a * self.sigma_data).square() + point.b.square()).sqrt();
        let p = &point.b / (&spread * self.sigma_data);
        let q = &point.a * -self.sigma_data / spread;
        Ok((p, q))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_exploding")
    }
}

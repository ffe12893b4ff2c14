use triflow::prelude::*;

triflow::component! {
    /// A pull towards a point: samples follow p(data)·exp(−strength/2·|data − to|²).
    ///
    /// It is exact for data from N(mean, spread²I): the density of `to` given the state is then
    /// Gaussian about the predicted data, of variance v + 1/strength with v = b²·spread²/V and
    /// V = a²·spread² + b². For other data it is an approximation, which improves as the noise
    /// decreases.
    #[reference = "Song et al. 2023, Pseudoinverse-Guided Diffusion Models for Inverse Problems"]
    pub struct Toward: Guidance = "toward" {
        /// The point, in latent units: one number for each entry of the latent, or one for all.
        #[length(min = 1)]
        pub to: Vec<f64> = vec![0.0],
        /// Strength of the pull: the inverse variance of samples about `to`.
        #[range(min = 0)]
        pub strength: f64 = 1.0,
        /// Standard deviation of the latents; 1 for standardised data.
        #[range(above = 0)]
        pub spread: f64 = 1.0,
    }
}

impl Spec<dyn Guidance> for Toward {
    fn build(&self, (): &()) -> Result<Box<dyn Guidance>> {
        Ok(Box::new(self.clone()))
    }
}

impl Guidance for Toward {
    fn force(&self, at: &GuidanceInput<'_>) -> Result<Tensor> {
        let (shape, entries) = (&at.z.size()[1..], at.z.size()[1..].iter().product::<i64>());
        if self.to.len() != 1 && self.to.len() as i64 != entries {
            let message = format!("has {} numbers for latents of {entries}", self.to.len());
            return Err(Error::config("sampling.steering.to", message));
        }
        let to = Tensor::from_slice(&self.to).to_kind(at.z.kind()).to_device(at.z.device());
        let to = if self.to.len() == 1 { to } else { to.view(shape) };
        let variance = self.spread * self.spread;
        let total = at.a.square() * variance + at.b.square();
        // v, then d(data)/dz over the variance of `to` about the data.
        let posterior = at.b.square() * variance / &total;
        let gain = at.a * variance / total / (posterior * self.strength + 1.0) * self.strength;
        Ok((to - at.data) * rows(&gain, at.z).to_kind(at.z.kind()))
    }
}

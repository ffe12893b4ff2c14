use triflow::prelude::*;

triflow::component! {
    /// Noise levels σ = b/a whose logarithm is normal, as for EDM.
    ///
    /// ln σ ~ N(mean, std²), restricted to the noise levels of the path, and stratified; log-SNR is
    /// γ = -2 ln σ. The loss is that of this distribution: errors at these levels count more.
    #[reference = "Karras et al. 2022, arXiv 2206.00364, table 1"]
    pub struct LogNormalSigma: TimeSampler = "log_normal_sigma" {
        /// Mean of ln σ: larger is nearer to the noise.
        pub mean: f64 = -1.2,
        /// Standard deviation of ln σ.
        #[range(above = 0)]
        pub std: f64 = 1.2,
    }
}

impl Spec<dyn TimeSampler> for LogNormalSigma {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        Ok(Box::new(self.clone()))
    }
}

impl TimeSampler for LogNormalSigma {
    /// Log-SNR is N(-2·mean, (2·std)²), of which the shares outside the ends are left out.
    fn quantiles(&self, u: &Tensor, ends: &Tensor) -> Result<Quantiles> {
        let (mean, std) = (-2.0 * self.mean, 2.0 * self.std);
        let shares = ((ends - mean) / std).special_ndtr();
        let share = u * (shares.get(1) - shares.get(0)) + shares.get(0);
        let gamma = share.special_ndtri() * std + mean;
        Ok(Quantiles::new(gamma.maximum(&ends.get(0)).minimum(&ends.get(1))))
    }

    fn clock(&self) -> Result<Clock> {
        Ok(Clock::Gamma)
    }
}

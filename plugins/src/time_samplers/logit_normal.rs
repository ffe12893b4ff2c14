use triflow::prelude::*;

triflow::component! {
    /// Times whose logit is normal: most are in the middle of the path, few at its ends.
    ///
    /// t = sigmoid(mean + std·Φ⁻¹(u)), stratified. The loss is that of this distribution: errors
    /// in the middle count more.
    #[reference = "Esser et al. 2024, arXiv 2403.03206, section 3.1 (time runs the other way there: \
                   the mean has the opposite sign)"]
    pub struct LogitNormal: TimeSampler = "logit_normal" {
        /// Mean of ln(t/(1 − t)): above 0 nearer to the data, below 0 nearer to the noise.
        pub mean: f64 = 0.0,
        /// Standard deviation of ln(t/(1 − t)).
        #[range(above = 0)]
        pub std: f64 = 1.0,
    }
}

impl Spec<dyn TimeSampler> for LogitNormal {
    fn build(&self, (): &()) -> Result<Box<dyn TimeSampler>> {
        Ok(Box::new(self.clone()))
    }
}

impl TimeSampler for LogitNormal {
    fn quantiles(&self, u: &Tensor, _: &Tensor) -> Result<Quantiles> {
        Ok(Quantiles::new((u.special_ndtri() * self.std + self.mean).sigmoid()))
    }
}

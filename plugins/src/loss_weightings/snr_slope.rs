use triflow::prelude::*;

triflow::component! {
    /// SNR' on the error of the output as it is, whatever it predicts, as the JAX/Flax original has
    /// it. For data this is the variational bound, for anything else it is not.
    ///
    /// On a path of unbounded log-SNR, such as the rectified one, the weight is 1.
    #[aliases("seed")]
    pub struct SnrSlope: LossWeighting = "snr_slope" {}
}

impl Spec<dyn LossWeighting> for SnrSlope {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for SnrSlope {
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        Ok(if point.bounded() { Weight::Output(point.snr_prime()?) } else { Weight::One })
    }
}

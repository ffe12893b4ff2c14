use super::wronskian;
use triflow::prelude::*;

triflow::component! {
    /// The variational bound with a largest SNR, so that small noise counts less.
    ///
    /// γ'·min(SNR, kappa) on the error of the data.
    #[reference = "Hang et al. 2023, arXiv 2303.09556"]
    pub struct MinSnr: LossWeighting = "min_snr" {
        /// Largest SNR.
        #[range(above = 0)]
        pub kappa: f64 = 5.0,
    }
}

impl Spec<dyn LossWeighting> for MinSnr {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for MinSnr {
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        if point.bounded() {
            return Ok(Weight::Data(point.gamma_prime()? * point.snr().clamp_max(self.kappa)));
        }
        let ratio = &point.a / &point.b;
        let weight = (&ratio * 2.0).minimum(&(ratio.reciprocal() * (2.0 * self.kappa)));
        Ok(Weight::Velocity(weight / wronskian(point)?))
    }
}

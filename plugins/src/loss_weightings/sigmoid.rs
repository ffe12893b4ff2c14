use super::wronskian;
use triflow::prelude::*;

triflow::component! {
    /// The variational bound faded out at small noise, along a sigmoid of log-SNR.
    ///
    /// γ'·sigmoid(bias − γ) on the error of the noise; on that of the data γ'·e^bias·sigmoid(γ −
    /// bias). On a path of unit variance, 4 times `field` for a bias of 0.
    #[reference = "Hoogeboom et al. 2024, arXiv 2410.19324; Kingma and Gao 2023, arXiv 2303.00848"]
    pub struct Sigmoid: LossWeighting = "sigmoid" {
        /// Log-SNR at which noise errors have half their weight in the bound: the lower, the less
        /// small noise counts.
        #[range(min = -80, max = 80)]
        pub bias: f64 = 0.0,
    }
}

impl Spec<dyn LossWeighting> for Sigmoid {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for Sigmoid {
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        if point.bounded() {
            let fading = (self.bias - point.gamma()).sigmoid();
            return Ok(Weight::Noise(point.gamma_prime()? * fading));
        }
        // sigmoid(bias − γ) = k·b²/(a² + k·b²) with k = e^bias, times 4/(b²γ') = 2a/(b·wronskian).
        let k = self.bias.exp();
        let spread = point.a.square() + point.b.square() * k;
        Ok(Weight::Velocity(&point.a * &point.b * (2.0 * k) / (spread * wronskian(point)?)))
    }
}

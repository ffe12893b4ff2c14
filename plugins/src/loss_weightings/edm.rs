use super::wronskian;
use triflow::prelude::*;

triflow::component! {
    /// The weighting of EDM: its network begins with equal errors at all noise levels.
    ///
    /// (σ² + sigma_data²)/(σ·sigma_data)² = SNR + 1/sigma_data² on the error of the data, with σ =
    /// b/a. It contains no density of times: that is the time sampler's.
    #[reference = "Karras et al. 2022, arXiv 2206.00364, table 1"]
    pub struct Edm: LossWeighting = "edm" {
        /// Standard deviation of the data: 1 for standardised data, 0.5 in the paper.
        #[range(above = 0)]
        pub sigma_data: f64 = 0.5,
    }
}

impl Spec<dyn LossWeighting> for Edm {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for Edm {
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        let least = self.sigma_data.powi(-2);
        if point.bounded() {
            return Ok(Weight::Data(point.snr() + least));
        }
        // The error of the data is that of the velocity times b/wronskian.
        let weight = point.a.square() + point.b.square() * least;
        Ok(Weight::Velocity(weight / wronskian(point)?.square()))
    }
}

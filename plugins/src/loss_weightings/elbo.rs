use super::wronskian;
use triflow::prelude::*;

triflow::component! {
    /// The variational bound (ELBO): the same loss for every objective.
    ///
    /// SNR' on the error of the data, which is γ' on that of the noise and 4/(b²γ') on that of the
    /// velocity: 2t/(1 − t) on the rectified path.
    #[reference = "Kingma et al. 2021, arXiv 2107.00630"]
    pub struct Elbo: LossWeighting = "elbo" {}
}

impl Spec<dyn LossWeighting> for Elbo {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for Elbo {
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        if point.bounded() {
            return Ok(Weight::Data(point.snr_prime()?));
        }
        Ok(Weight::Velocity(&point.a / &point.b * 2.0 / wronskian(point)?))
    }

    fn is_variational_bound(&self) -> Result<bool> {
        Ok(true)
    }
}

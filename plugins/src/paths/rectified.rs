use triflow::path::END_GAP;
use triflow::prelude::*;
use triflow::tch::Device;

triflow::component! {
    /// Straight lines from noise to data, the path of flow matching.
    ///
    /// a = t, b = 1 − t; the log-SNR is infinite at both ends.
    #[reference = "Liu et al. 2022, arXiv 2209.03003; Lipman et al. 2022, arXiv 2210.02747"]
    pub struct Rectified: GaussianPath = "rectified" {}
}

impl Spec<dyn GaussianPath> for Rectified {
    fn build(&self, _: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(self.clone()))
    }
}

impl GaussianPath for Rectified {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        Ok(Coefficients::new(t.shallow_clone(), t.rsub_scalar(1.0)))
    }

    fn rates(&self, point: &PathPoint<'_>, clock: Clock) -> Result<(Tensor, Tensor)> {
        Ok(match clock {
            Clock::Time => (point.a.ones_like(), point.b.ones_like().neg()),
            // dt/dγ = t(1 − t)/2
            Clock::Gamma => {
                let rate = &point.a * &point.b * 0.5;
                (rate.shallow_clone(), rate.neg())
            }
        })
    }

    fn gamma_prime(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        Ok((&point.a * &point.b).reciprocal() * 2.0)
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        Ok((gamma * 0.5).sigmoid())
    }

    fn bounded(&self) -> Result<bool> {
        Ok(false)
    }

    fn gamma_range(&self, _: Device) -> Result<(f64, f64)> {
        let end = 2.0 * ((1.0 - END_GAP) / END_GAP).ln();
        Ok((-end, end))
    }
}

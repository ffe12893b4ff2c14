use super::scheduled::{Form, Scheduled};
use triflow::prelude::*;

triflow::component! {
    /// Data of constant size under noise that grows with the noise schedule: the path of EDM.
    ///
    /// a = 1, b = σ = e^(−γ/2), with the log-SNR γ of `noise_schedule` (`karras` is the usual one).
    /// Sampling starts from z = σ_max·z_0. The network gets z/√(sigma_data² + σ²).
    #[reference = "Song & Ermon 2019, arXiv 1907.05600; Karras et al. 2022, arXiv 2206.00364"]
    pub struct VarianceExploding: GaussianPath = "variance_exploding" {
        /// Standard deviation of the data; 1 for standardised data.
        #[range(above = 0)]
        pub sigma_data: f64 = 1.0,
    }
}

impl Spec<dyn GaussianPath> for VarianceExploding {
    fn build(&self, ctx: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(Scheduled::new(self.clone(), ctx)?))
    }
}

impl Form for VarianceExploding {
    fn at(&self, gamma: &Tensor) -> Coefficients {
        let b = (gamma * -0.5).exp();
        Coefficients { a: b.ones_like(), b, gamma: Some(gamma.shallow_clone()) }
    }

    fn rates(&self, point: &PathPoint<'_>) -> (Tensor, Tensor) {
        (point.a.zeros_like(), &point.b * -0.5)
    }

    fn start_scale(&self, gamma: f64) -> f64 {
        (-0.5 * gamma).exp()
    }

    fn input_scale(&self, point: &PathPoint<'_>) -> Option<Tensor> {
        Some((point.b.square() + self.sigma_data.powi(2)).rsqrt())
    }
}

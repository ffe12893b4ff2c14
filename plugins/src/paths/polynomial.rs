use triflow::prelude::*;

triflow::component! {
    /// A power of time: the straight lines of `rectified`, passed at another speed.
    ///
    /// a = tⁿ, b = 1 − tⁿ; the log-SNR is infinite at both ends. Above 1, more of the time is near
    /// the noise.
    #[reference = "Lipman et al. 2024, arXiv 2412.06264, section 4.8"]
    pub struct Polynomial: GaussianPath = "polynomial" {
        /// The power n; 1 gives `rectified`.
        #[range(above = 0)]
        pub n: f64 = 2.0,
    }
}

impl Spec<dyn GaussianPath> for Polynomial {
    fn build(&self, _: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(self.clone()))
    }
}

impl GaussianPath for Polynomial {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        // 1 − tⁿ without cancellation near t = 1.
        let b = (t.log() * self.n).expm1().neg();
        Ok(Coefficients::new(t.pow_tensor_scalar(self.n), b))
    }

    fn rates(&self, point: &PathPoint<'_>, clock: Clock) -> Result<(Tensor, Tensor)> {
        let rate = match clock {
            Clock::Time => point.t.pow_tensor_scalar(self.n - 1.0) * self.n,
            // γ' = 2a'/(ab)
            Clock::Gamma => &point.a * &point.b * 0.5,
        };
        Ok((rate.shallow_clone(), rate.neg()))
    }

    fn gamma_prime(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        Ok((&point.t * &point.b).reciprocal() * (2.0 * self.n))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        Ok(((gamma * 0.5).log_sigmoid() / self.n).exp())
    }

    fn bounded(&self) -> Result<bool> {
        Ok(false)
    }
}

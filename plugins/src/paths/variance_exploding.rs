use triflow::prelude::*;
use triflow::tch::Device;

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
        Ok(Box::new(Exploding { schedule: ctx.take_schedule()?, sigma_data: self.sigma_data }))
    }
}

struct Exploding {
    schedule: Box<dyn NoiseSchedule>,
    sigma_data: f64,
}

fn at(gamma: Tensor) -> Coefficients {
    let b = (&gamma * -0.5).exp();
    Coefficients { a: b.ones_like(), b, gamma: Some(gamma) }
}

impl GaussianPath for Exploding {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        Ok(at(self.schedule.gamma(t)?))
    }

    fn coefficients_at_gamma(&self, gamma: &Tensor, _: &Tensor) -> Result<Coefficients> {
        Ok(at(gamma.shallow_clone()))
    }

    fn rates(&self, point: &PathPoint<'_>, clock: Clock) -> Result<(Tensor, Tensor)> {
        super::in_clock(point, clock, (point.a.zeros_like(), &point.b * -0.5))
    }

    fn gamma_prime(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        self.schedule.gamma_prime(&point.t)
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        self.schedule.time_of(gamma)
    }

    fn bounded(&self) -> Result<bool> {
        Ok(true)
    }

    fn gamma_range(&self, device: Device) -> Result<(f64, f64)> {
        super::ends(&*self.schedule, device)
    }

    fn start_scale(&self, device: Device) -> Result<f64> {
        let (start, _) = super::ends(&*self.schedule, device)?;
        Ok((-0.5 * start).exp())
    }

    fn input_scale(&self, point: &PathPoint<'_>) -> Result<Option<Tensor>> {
        Ok(Some((point.b.square() + self.sigma_data.powi(2)).rsqrt()))
    }
}

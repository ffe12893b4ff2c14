use triflow::prelude::*;
use triflow::tch::Device;

triflow::component! {
    /// Data and noise of constant total variance, mixed by the noise schedule: the path of
    /// diffusion.
    ///
    /// a² = alpha_bar = σ(γ), b² = 1 − alpha_bar = σ(−γ), with the log-SNR γ of `noise_schedule`.
    #[reference = "Ho et al. 2020, arXiv 2006.11239; Song et al. 2021, arXiv 2011.13456"]
    pub struct VariancePreserving: GaussianPath = "variance_preserving" {}
}

impl Spec<dyn GaussianPath> for VariancePreserving {
    fn build(&self, ctx: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(Preserving { schedule: ctx.take_schedule()? }))
    }
}

struct Preserving {
    schedule: Box<dyn NoiseSchedule>,
}

impl GaussianPath for Preserving {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        Ok(Coefficients::unit_variance(self.schedule.gamma(t)?))
    }

    fn coefficients_at_gamma(&self, gamma: &Tensor, _: &Tensor) -> Result<Coefficients> {
        Ok(Coefficients::unit_variance(gamma.shallow_clone()))
    }

    fn rates(&self, point: &PathPoint<'_>, clock: Clock) -> Result<(Tensor, Tensor)> {
        let a = &point.a * point.b.square() * 0.5;
        let b = &point.b * point.a.square() * -0.5;
        super::in_clock(point, clock, (a, b))
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
}

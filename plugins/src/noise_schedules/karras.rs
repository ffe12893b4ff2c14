use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;

triflow::component! {
    /// Noise level σ = b/a whose ρ-th root is a linear function of time.
    ///
    /// γ(t) = −2 ln σ(t) with σ(t)^(1/ρ) = (1 − t)·sigma_max^(1/ρ) + t·sigma_min^(1/ρ).
    #[reference = "Karras et al. 2022, arXiv 2206.00364, eq. 5"]
    pub struct Karras: NoiseSchedule = "karras" {
        /// Noise level at t = 0, above sigma_min.
        #[range(above = 0)]
        pub sigma_max: f64 = 80.0,
        /// Noise level at t = 1, in (0, sigma_max).
        #[range(above = 0)]
        pub sigma_min: f64 = 0.002,
        /// Exponent ρ: a larger one spends more time at low noise.
        #[range(above = 0)]
        pub rho: f64 = 7.0,
        /// Learn the parameters with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Karras {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        require(self.sigma_min < self.sigma_max, "sigma_min", "needs sigma_min < sigma_max")?;
        let new = |name: &str, value, transform| {
            Parameter::new(ctx, name, value, transform, self.learnable)
        };
        let share = self.sigma_min / self.sigma_max;
        Ok(Box::new(Root {
            sigma_max: new("sigma_max", self.sigma_max, Transform::Above(0.0))?,
            share: new("sigma_min", share, Transform::Between(0.0, 1.0))?,
            rho: new("rho", self.rho, Transform::Above(0.0))?,
        }))
    }
}

#[derive(Debug)]
struct Root {
    sigma_max: Parameter,
    /// sigma_min over sigma_max, which keeps learned levels in order.
    share: Parameter,
    rho: Parameter,
}

impl Root {
    /// (ρ, sigma_max^(1/ρ), sigma_min^(1/ρ)), each `[]`.
    fn ends(&self) -> (Tensor, Tensor, Tensor) {
        let (rho, sigma_max) = (self.rho.value(), self.sigma_max.value());
        let root = |sigma: &Tensor| (sigma.log() / &rho).exp();
        let (start, end) = (root(&sigma_max), root(&(&sigma_max * self.share.value())));
        (rho, start, end)
    }
}

impl NoiseSchedule for Root {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let (rho, start, end) = self.ends();
        Ok(((t.neg() + 1.0) * start + t * end).log() * (rho * -2.0))
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let (rho, start, end) = self.ends();
        Ok((&start - &end) * (rho * 2.0) / ((t.neg() + 1.0) * start + t * end))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let (rho, start, end) = self.ends();
        let root = (gamma / (rho * -2.0)).exp();
        Ok(((&start - root) / (start - end)).detach())
    }
}

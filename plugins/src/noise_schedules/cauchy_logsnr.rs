//! Noise levels follow a Cauchy law in log-SNR: a broad peak with heavy tails.

use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;
use triflow::tch::Kind;

triflow::component! {
    /// Noise levels follow a Cauchy law in log-SNR: a broad peak with heavy tails.
    ///
    /// γ(t) = Q(u0 + (u1 − u0)t) with Q(u) = mu + c·tan(π(u − ½)),
    /// u0 and u1 the distribution function at the two ends.
    #[reference = "Hang et al. 2024, arXiv 2407.03297"]
    pub struct CauchyLogsnr: NoiseSchedule, NoiseScheduleSpec = "cauchy_logsnr" {
        /// Centre of the law in log-SNR.
        pub mu: f64 = 0.0,
        /// Half-width of the law in log-SNR, above 0.
        pub c: f64 = 1.0,
        /// Log-SNR at t = 0.
        pub gamma_min: f64 = -5.0,
        /// Log-SNR at t = 1, above gamma_min.
        pub gamma_max: f64 = 5.0,
        /// Whether the parameters are learned with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for CauchyLogsnr {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        require(self.c > 0.0, "c", "needs c > 0")?;
        require(self.gamma_min < self.gamma_max, "gamma_min", "needs gamma_min < gamma_max")?;
        let range = self.gamma_max - self.gamma_min;
        Ok(Box::new(Law {
            mu: Parameter::new(ctx, "mu", self.mu, Transform::Free, self.learnable)?,
            width: Parameter::new(ctx, "c", self.c, Transform::Above(0.0), self.learnable)?,
            start: Parameter::new(
                ctx,
                "gamma_min",
                self.gamma_min,
                Transform::Free,
                self.learnable,
            )?,
            range: Parameter::new(
                ctx,
                "gamma_range",
                range,
                Transform::Above(0.0),
                self.learnable,
            )?,
        }))
    }
}

#[derive(Debug)]
struct Law {
    mu: Parameter,
    width: Parameter,
    start: Parameter,
    range: Parameter,
}

impl Law {
    fn cdf(&self, gamma: &Tensor) -> Tensor {
        ((gamma - self.mu.value()) / self.width.value()).atan() * std::f64::consts::FRAC_1_PI + 0.5
    }

    /// (u0, u1), the distribution function at the two ends; in float64, as the tails cancel.
    fn ends(&self) -> (Tensor, Tensor) {
        let start = self.start.value().to_kind(Kind::Double);
        (self.cdf(&start), self.cdf(&(&start + self.range.value())))
    }
}

impl NoiseSchedule for Law {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let u = t.to_kind(Kind::Double) * (&u1 - &u0) + u0;
        let gamma = ((u - 0.5) * std::f64::consts::PI).tan() * self.width.value() + self.mu.value();
        Ok(gamma.to_kind(t.kind()))
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let gamma = self.gamma(&t.to_kind(Kind::Double))?;
        let width = self.width.value();
        let inverse_density =
            (((gamma - self.mu.value()) / &width).square() + 1.0) * width * std::f64::consts::PI;
        Ok((inverse_density * (u1 - u0)).to_kind(t.kind()))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let u = self.cdf(&gamma.to_kind(Kind::Double));
        Ok(((u - &u0) / (u1 - u0)).to_kind(gamma.kind()))
    }
}

//! Noise levels follow a Laplace law in log-SNR: most training time near its centre.

use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;
use triflow::tch::Kind;

triflow::component! {
    /// Noise levels follow a Laplace law in log-SNR: most training time near its centre.
    ///
    /// γ(t) = Q(u0 + (u1 − u0)t) with Q(u) = mu − b·sgn(u − ½)·ln(1 − 2|u − ½|),
    /// u0 and u1 the distribution function at the two ends.
    #[reference = "Hang et al. 2024, arXiv 2407.03297"]
    pub struct LaplaceLogsnr: NoiseSchedule, NoiseScheduleSpec = "laplace_logsnr" {
        /// Centre of the law in log-SNR.
        pub mu: f64 = 0.0,
        /// Width of the law in log-SNR, above 0.
        pub b: f64 = 0.5,
        /// Log-SNR at t = 0.
        pub gamma_min: f64 = -5.0,
        /// Log-SNR at t = 1, above gamma_min.
        pub gamma_max: f64 = 5.0,
        /// Whether the parameters are learned with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for LaplaceLogsnr {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        require(self.b > 0.0, "b", "needs b > 0")?;
        require(self.gamma_min < self.gamma_max, "gamma_min", "needs gamma_min < gamma_max")?;
        let range = self.gamma_max - self.gamma_min;
        Ok(Box::new(Law {
            mu: Parameter::new(ctx, "mu", self.mu, Transform::Free, self.learnable)?,
            width: Parameter::new(ctx, "b", self.b, Transform::Above(0.0), self.learnable)?,
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
    /// ½e^u below the centre, 1 − ½e^(−u) above; at the centre each half has half of the slope.
    fn cdf(&self, gamma: &Tensor) -> Tensor {
        let u = (gamma - self.mu.value()) / self.width.value();
        let zero = u.zeros_like();
        (u.minimum(&zero).exp() - u.maximum(&zero).neg().expm1()) * 0.5
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
        let kind = t.kind();
        let t = t.to_kind(Kind::Double);
        // Each half from its own tail: no cancellation where u is near 0 or 1.
        let u = &t * (&u1 - &u0) + &u0;
        let tail = (t.neg() + 1.0) * (&u1 - &u0) + (u1.neg() + 1.0);
        let width = self.width.value();
        let one = u.ones_like();
        let below = (&u * 2.0).minimum(&one).log() * &width;
        let above = (tail * 2.0).minimum(&one).log() * width.neg();
        Ok((below + above + self.mu.value()).to_kind(kind))
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let gamma = self.gamma(&t.to_kind(Kind::Double))?;
        let width = self.width.value();
        let density = ((gamma - self.mu.value()) / &width).abs().neg().exp() / (width * 2.0);
        Ok((density.reciprocal() * (u1 - u0)).to_kind(t.kind()))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let u = self.cdf(&gamma.to_kind(Kind::Double));
        Ok(((u - &u0) / (u1 - u0)).to_kind(gamma.kind()))
    }
}

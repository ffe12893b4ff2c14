use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar of the variance-preserving SDE, whose noise rate β is a linear function of time.
    ///
    /// alpha_bar = exp(−B(s)) with B(s) = beta_min·s + ½(beta_max − beta_min)·s² at
    /// s = (1 − t) + t·s_min, so that γ(t) = −ln(e^B − 1).
    #[reference = "Song et al. 2021, arXiv 2011.13456, eq. 33"]
    pub struct LinearBeta: NoiseSchedule = "linear_beta" {
        /// Rate β at s = 0.
        #[range(above = 0)]
        pub beta_min: f64 = 0.1,
        /// Rate β at s = 1.
        #[range(above = 0)]
        pub beta_max: f64 = 20.0,
        /// Time s of the SDE at t = 1, in (0, 1): at s = 0 there is no noise, and γ is infinite.
        #[range(above = 0, below = 1)]
        pub s_min: f64 = 0.001,
        /// Learn both rates with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for LinearBeta {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let rate = |name: &str, value| {
            Parameter::new(ctx, name, value, Transform::Above(0.0), self.learnable)
        };
        Ok(Box::new(Sde {
            beta_min: rate("beta_min", self.beta_min)?,
            beta_max: rate("beta_max", self.beta_max)?,
            s_min: self.s_min,
        }))
    }
}

#[derive(Debug)]
struct Sde {
    beta_min: Parameter,
    beta_max: Parameter,
    s_min: f64,
}

impl Sde {
    /// β(s) and its integral B(s) at times `t`, `[batch]` each.
    fn rate_and_integral(&self, t: &Tensor) -> (Tensor, Tensor) {
        let s = t.neg() + 1.0 + t * self.s_min;
        let (start, end) = (self.beta_min.value(), self.beta_max.value());
        let rise = &s * (end - &start);
        (&rise + &start, (rise * 0.5 + start) * s)
    }
}

impl NoiseSchedule for Sde {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok(self.rate_and_integral(t).1.expm1().log().neg())
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let (rate, integral) = self.rate_and_integral(t);
        Ok(rate * (1.0 - self.s_min) / integral.neg().expm1().neg())
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        // The positive root of B(s) = ln(1 + e^(−γ)), in the form that does not cancel.
        let integral = gamma.detach().neg().softplus();
        let (start, end) = (self.beta_min.value().detach(), self.beta_max.value().detach());
        let root = (&integral * (end - &start) * 2.0 + start.square()).sqrt();
        let s = integral * 2.0 / (root + start);
        Ok((s.neg() + 1.0) / (1.0 - self.s_min))
    }
}

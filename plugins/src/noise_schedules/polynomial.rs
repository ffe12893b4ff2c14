use super::curve::{AlphaBar, Curve, CurvePoint};
use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as a power of time.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·t^p; p = 1 is
    /// `linear`, p = 2 `quadratic`.
    pub struct Polynomial: NoiseSchedule = "polynomial" {
        /// Power p (above 1 if learnable): below 1, γ' is infinite at t = 0.
        #[range(min = 1)]
        pub power: f64 = 2.0,
        /// alpha_bar at t = 0, in (0, alpha_bar_max).
        #[range(above = 0, below = 1)]
        pub alpha_bar_min: f64 = 0.01,
        /// alpha_bar at t = 1, in (alpha_bar_min, 1).
        #[range(above = 0, below = 1)]
        pub alpha_bar_max: f64 = 0.99,
        /// Learn the parameters with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Polynomial {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let power =
            Parameter::new(ctx, "power", self.power, Transform::Above(1.0), self.learnable)?;
        AlphaBar::build(ctx, self.alpha_bar_min, self.alpha_bar_max, self.learnable, Power(power))
    }
}

#[derive(Debug)]
struct Power(Parameter);

impl Curve for Power {
    fn at(&self, t: &Tensor) -> CurvePoint {
        let p = self.0.value();
        // 1 − t^p = −expm1(p ln t). The floor avoids ln 0 and is less than one rounding error.
        let log_t = t.clamp_min(1e-30).log();
        let exponent = &log_t * &p;
        CurvePoint {
            value: exponent.exp(),
            complement: exponent.expm1().neg(),
            slope: &p * (log_t * (&p - 1.0)).exp(),
        }
    }
}

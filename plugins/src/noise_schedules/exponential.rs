use super::curve::{AlphaBar, Curve, CurvePoint};
use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as a saturating exponential of time: it rises fast, then ever slower.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·F(t) with
    /// F(t) = (1 − e^(−βt)) / (1 − e^(−β)).
    pub struct Exponential: NoiseSchedule = "exponential" {
        /// Rate β; the limit at 0 is `linear`.
        #[range(above = 0)]
        pub beta: f64 = 2.0,
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

impl Spec<dyn NoiseSchedule> for Exponential {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let beta = Parameter::new(ctx, "beta", self.beta, Transform::Above(0.0), self.learnable)?;
        AlphaBar::build(ctx, self.alpha_bar_min, self.alpha_bar_max, self.learnable, Decay(beta))
    }
}

#[derive(Debug)]
struct Decay(Parameter);

impl Curve for Decay {
    fn at(&self, t: &Tensor) -> CurvePoint {
        let beta = self.0.value();
        let total = beta.neg().expm1();
        let exponent = t * beta.neg();
        CurvePoint {
            value: exponent.expm1() / &total,
            // e^(−βt)·(1 − e^(−β(1 − t))): no term overflows.
            complement: exponent.exp() * ((t - 1.0) * &beta).expm1() / &total,
            slope: exponent.exp() * beta / total.neg(),
        }
    }
}

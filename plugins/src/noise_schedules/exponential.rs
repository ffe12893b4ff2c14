//! alpha_bar rises fast, then ever slower.

use super::curve::{AlphaBar, Curve, CurvePoint};
use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar rises fast, then ever slower.
    ///
    /// F(t) = (1 − e^(−βt)) / (1 − e^(−β)).
    pub struct Exponential: NoiseSchedule, NoiseScheduleSpec = "exponential" {
        /// Rate β, above 0; towards 0 it becomes `linear`.
        pub beta: f64 = 2.0,
        /// alpha_bar at t = 0, in (0, alpha_bar_max).
        pub alpha_bar_min: f64 = 0.01,
        /// alpha_bar at t = 1, in (alpha_bar_min, 1).
        pub alpha_bar_max: f64 = 0.99,
        /// Whether the parameters are learned with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Exponential {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        require(self.beta > 0.0, "beta", "needs beta > 0")?;
        let beta = Parameter::new(ctx, "beta", self.beta, Transform::Above(0.0), self.learnable)?;
        AlphaBar::build(ctx, self.alpha_bar_min, self.alpha_bar_max, self.learnable, Decay(beta))
    }
}

#[derive(Debug)]
struct Decay(Parameter);

impl Curve for Decay {
    fn at(&self, t: &Tensor) -> CurvePoint {
        let beta = self.0.value();
        let whole = beta.neg().expm1();
        let fall = t * beta.neg();
        CurvePoint {
            value: fall.expm1() / &whole,
            // e^(−βt)·(1 − e^(−β(1 − t))): no term overflows.
            complement: fall.exp() * ((t - 1.0) * &beta).expm1() / &whole,
            slope: fall.exp() * beta / whole.neg(),
        }
    }
}

use super::curve::{AlphaBar, Curve, CurvePoint};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as the square of time: noisy for longer than `linear`.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·t², so that γ'(0) = 0.
    pub struct Quadratic: NoiseSchedule = "quadratic" {
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

impl Spec<dyn NoiseSchedule> for Quadratic {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        AlphaBar::build(ctx, self.alpha_bar_min, self.alpha_bar_max, self.learnable, Square)
    }
}

#[derive(Debug)]
struct Square;

impl Curve for Square {
    fn at(&self, t: &Tensor) -> CurvePoint {
        CurvePoint { value: t.square(), complement: (t.neg() + 1.0) * (t + 1.0), slope: t * 2.0 }
    }
}

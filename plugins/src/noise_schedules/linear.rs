use super::curve::{AlphaBar, Curve, CurvePoint};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as a linear function of time.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·t.
    #[reference = "Ho et al. 2020, arXiv 2006.11239 (a linear schedule, here of alpha_bar)"]
    pub struct Linear: NoiseSchedule = "linear" {
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

impl Spec<dyn NoiseSchedule> for Linear {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        AlphaBar::build(ctx, self.alpha_bar_min, self.alpha_bar_max, self.learnable, Line)
    }
}

#[derive(Debug)]
struct Line;

impl Curve for Line {
    fn at(&self, t: &Tensor) -> CurvePoint {
        CurvePoint { value: t.shallow_clone(), complement: t.neg() + 1.0, slope: t.ones_like() }
    }
}

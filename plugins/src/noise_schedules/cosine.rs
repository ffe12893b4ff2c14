use super::curve::{AlphaBar, Curve, CurvePoint};
use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as a squared cosine of time, slow at both ends.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·F(t) with
    /// F(t) = sin(wt)·sin(w(t + 2s)) / cos²(ws) and w = (π/2)/(1 + s).
    #[reference = "Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 17 (normalised)"]
    pub struct Cosine: NoiseSchedule = "cosine" {
        /// Offset s, which keeps the slope of alpha_bar at t = 0 from vanishing.
        #[range(above = 0)]
        pub s: f64 = 0.008,
        /// alpha_bar at t = 0, in (0, alpha_bar_max).
        #[range(above = 0, below = 1)]
        pub alpha_bar_min: f64 = 0.001,
        /// alpha_bar at t = 1, in (alpha_bar_min, 1).
        #[range(above = 0, below = 1)]
        pub alpha_bar_max: f64 = 0.999,
        /// Learn the parameters with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Cosine {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let s = Parameter::new(ctx, "s", self.s, Transform::Above(0.0), self.learnable)?;
        AlphaBar::build(
            ctx,
            self.alpha_bar_min,
            self.alpha_bar_max,
            self.learnable,
            SquaredCosine(s),
        )
    }
}

#[derive(Debug)]
struct SquaredCosine(Parameter);

impl Curve for SquaredCosine {
    fn at(&self, t: &Tensor) -> CurvePoint {
        let s = self.0.value();
        let w = (&s + 1.0).reciprocal() * std::f64::consts::FRAC_PI_2;
        let scale = (&w * &s).cos().square().reciprocal();
        let left = (t.neg() + 1.0) * &w;
        CurvePoint {
            value: (t * &w).sin() * ((t + s * 2.0) * &w).sin() * &scale,
            complement: left.sin().square() * &scale,
            slope: (left * 2.0).sin() * w * scale,
        }
    }
}

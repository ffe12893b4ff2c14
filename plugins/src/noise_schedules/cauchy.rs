use super::curve::{AlphaBar, Distribution, Normalised};
use super::parameter::{Parameter, Transform};
use std::f64::consts::FRAC_1_PI;
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as the distribution function of a Cauchy distribution over time.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·F(t) with
    /// F(t) = (G(t) − G(0))/(G(1) − G(0)) and G(t) = ½ + (1/π)·atan((t − loc)/scale).
    /// (`cauchy_logsnr` has the distribution over log-SNR.)
    pub struct Cauchy: NoiseSchedule = "cauchy" {
        /// Time at which alpha_bar rises fastest.
        pub loc: f64 = 0.5,
        /// Width of the rise, in time.
        #[range(above = 0)]
        pub scale: f64 = 0.1,
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

impl Spec<dyn NoiseSchedule> for Cauchy {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let loc = Parameter::new(ctx, "loc", self.loc, Transform::Free, self.learnable)?;
        let scale =
            Parameter::new(ctx, "scale", self.scale, Transform::Above(0.0), self.learnable)?;
        AlphaBar::build(
            ctx,
            self.alpha_bar_min,
            self.alpha_bar_max,
            self.learnable,
            Normalised(CauchyCdf { loc, scale }),
        )
    }
}

#[derive(Debug)]
struct CauchyCdf {
    loc: Parameter,
    scale: Parameter,
}

impl Distribution for CauchyCdf {
    fn tails(&self, t: &Tensor) -> (Tensor, Tensor) {
        let u = (t - self.loc.value()) / self.scale.value();
        let one = u.ones_like();
        (one.atan2(&u.neg()) * FRAC_1_PI, one.atan2(&u) * FRAC_1_PI)
    }

    fn density(&self, t: &Tensor) -> Tensor {
        let scale = self.scale.value();
        ((((t - self.loc.value()) / &scale).square() + 1.0) * scale).reciprocal() * FRAC_1_PI
    }
}

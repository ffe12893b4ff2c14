//! alpha_bar follows the distribution function of a Laplace law over time.

use super::curve::{AlphaBar, Distribution, Normalised};
use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar follows the distribution function of a Laplace law over time.
    ///
    /// F is normalised on [0, 1]. Not to be mixed up with `laplace_logsnr`.
    pub struct Laplace: NoiseSchedule, NoiseScheduleSpec = "laplace" {
        /// Time at which it rises fastest.
        pub loc: f64 = 0.5,
        /// Width of the rise in time, above 0.
        pub scale: f64 = 0.1,
        /// alpha_bar at t = 0, in (0, alpha_bar_max).
        pub alpha_bar_min: f64 = 0.01,
        /// alpha_bar at t = 1, in (alpha_bar_min, 1).
        pub alpha_bar_max: f64 = 0.99,
        /// Whether the parameters are learned with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Laplace {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        require(self.scale > 0.0, "scale", "needs scale > 0")?;
        let loc = Parameter::new(ctx, "loc", self.loc, Transform::Free, self.learnable)?;
        let scale =
            Parameter::new(ctx, "scale", self.scale, Transform::Above(0.0), self.learnable)?;
        AlphaBar::build(
            ctx,
            self.alpha_bar_min,
            self.alpha_bar_max,
            self.learnable,
            Normalised(Law { loc, scale }),
        )
    }
}

#[derive(Debug)]
struct Law {
    loc: Parameter,
    scale: Parameter,
}

impl Distribution for Law {
    fn tails(&self, t: &Tensor) -> (Tensor, Tensor) {
        let u = (t - self.loc.value()) / self.scale.value();
        // ½e^u below the centre, 1 − ½e^(−u) above; at the centre each half has half of the slope.
        let zero = u.zeros_like();
        let of = |u: &Tensor| (u.minimum(&zero).exp() - u.maximum(&zero).neg().expm1()) * 0.5;
        (of(&u), of(&u.neg()))
    }

    fn density(&self, t: &Tensor) -> Tensor {
        let scale = self.scale.value();
        ((t - self.loc.value()) / &scale).abs().neg().exp() / (scale * 2.0)
    }
}

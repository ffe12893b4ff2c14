//! alpha_bar follows a logistic curve over time, normalised to reach its ends.

use super::curve::{AlphaBar, Distribution, Normalised};
use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar follows a logistic curve over time, normalised to reach its ends.
    ///
    /// F is sigmoid(k(t − t_mid)), normalised on [0, 1].
    pub struct Logistic: NoiseSchedule, NoiseScheduleSpec = "logistic" {
        /// Steepness, above 0.
        pub k: f64 = 10.0,
        /// Time of the steepest rise.
        pub t_mid: f64 = 0.5,
        /// alpha_bar at t = 0, in (0, alpha_bar_max).
        pub alpha_bar_min: f64 = 0.01,
        /// alpha_bar at t = 1, in (alpha_bar_min, 1).
        pub alpha_bar_max: f64 = 0.99,
        /// Whether the parameters are learned with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Logistic {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        require(self.k > 0.0, "k", "needs k > 0")?;
        let k = Parameter::new(ctx, "k", self.k, Transform::Above(0.0), self.learnable)?;
        let t_mid = Parameter::new(ctx, "t_mid", self.t_mid, Transform::Free, self.learnable)?;
        AlphaBar::build(
            ctx,
            self.alpha_bar_min,
            self.alpha_bar_max,
            self.learnable,
            Normalised(Law { k, t_mid }),
        )
    }
}

#[derive(Debug)]
struct Law {
    k: Parameter,
    t_mid: Parameter,
}

impl Distribution for Law {
    fn tails(&self, t: &Tensor) -> (Tensor, Tensor) {
        let x = (t - self.t_mid.value()) * self.k.value();
        (x.sigmoid(), x.neg().sigmoid())
    }

    fn density(&self, t: &Tensor) -> Tensor {
        let (below, above) = self.tails(t);
        below * above * self.k.value()
    }
}

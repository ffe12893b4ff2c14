use super::curve::{AlphaBar, Distribution, Normalised};
use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as the distribution function of a logistic distribution over time.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·F(t) with
    /// F(t) = (G(t) − G(0))/(G(1) − G(0)) and G(t) = sigmoid(k(t − t_mid)). (`sigmoid`
    /// makes log-SNR linear.)
    pub struct Logistic: NoiseSchedule = "logistic" {
        /// Steepness k of the rise.
        #[range(above = 0)]
        pub k: f64 = 10.0,
        /// Time at which alpha_bar rises fastest.
        pub t_mid: f64 = 0.5,
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

impl Spec<dyn NoiseSchedule> for Logistic {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let k = Parameter::new(ctx, "k", self.k, Transform::Above(0.0), self.learnable)?;
        let t_mid = Parameter::new(ctx, "t_mid", self.t_mid, Transform::Free, self.learnable)?;
        AlphaBar::build(
            ctx,
            self.alpha_bar_min,
            self.alpha_bar_max,
            self.learnable,
            Normalised(LogisticCdf { k, t_mid }),
        )
    }
}

#[derive(Debug)]
struct LogisticCdf {
    k: Parameter,
    t_mid: Parameter,
}

impl Distribution for LogisticCdf {
    fn tails(&self, t: &Tensor) -> (Tensor, Tensor) {
        let x = (t - self.t_mid.value()) * self.k.value();
        (x.sigmoid(), x.neg().sigmoid())
    }

    fn density(&self, t: &Tensor) -> Tensor {
        let (below, above) = self.tails(t);
        below * above * self.k.value()
    }
}

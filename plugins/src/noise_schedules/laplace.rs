use super::curve::{AlphaBar, Distribution, Normalised};
use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// alpha_bar as the distribution function of a Laplace distribution over time.
    ///
    /// alpha_bar(t) = alpha_bar_min + (alpha_bar_max − alpha_bar_min)·F(t) with
    /// F(t) = (G(t) − G(0))/(G(1) − G(0)) and the distribution function G of the
    /// Laplace distribution: for u = (t − loc)/scale, ½·e^u below 0 and 1 − ½·e^(−u) above.
    /// (`laplace_logsnr` has the distribution over log-SNR.)
    pub struct Laplace: NoiseSchedule = "laplace" {
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

impl Spec<dyn NoiseSchedule> for Laplace {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let loc = Parameter::new(ctx, "loc", self.loc, Transform::Free, self.learnable)?;
        let scale =
            Parameter::new(ctx, "scale", self.scale, Transform::Above(0.0), self.learnable)?;
        AlphaBar::build(
            ctx,
            self.alpha_bar_min,
            self.alpha_bar_max,
            self.learnable,
            Normalised(LaplaceCdf { loc, scale }),
        )
    }
}

#[derive(Debug)]
struct LaplaceCdf {
    loc: Parameter,
    scale: Parameter,
}

impl Distribution for LaplaceCdf {
    fn tails(&self, t: &Tensor) -> (Tensor, Tensor) {
        let u = (t - self.loc.value()) / self.scale.value();
        // ½e^u below the centre, 1 − ½e^(−u) above; at the centre each contributes half of the
        // gradient.
        let zero = u.zeros_like();
        let cdf = |u: &Tensor| (u.minimum(&zero).exp() - u.maximum(&zero).neg().expm1()) * 0.5;
        (cdf(&u), cdf(&u.neg()))
    }

    fn density(&self, t: &Tensor) -> Tensor {
        let scale = self.scale.value();
        ((t - self.loc.value()) / &scale).abs().neg().exp() / (scale * 2.0)
    }
}

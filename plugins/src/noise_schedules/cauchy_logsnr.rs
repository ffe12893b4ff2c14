//! Noise levels follow a Cauchy law in log-SNR: a broad peak with heavy tails.

use super::logsnr_law::{LogSnrLaw, Shape, Standard};
use std::f64::consts::{FRAC_1_PI, PI};
use triflow::prelude::*;

triflow::component! {
    /// Noise levels follow a Cauchy law in log-SNR: a broad peak with heavy tails.
    ///
    /// γ(t) = Q(u0 + (u1 − u0)t) with Q(u) = mu + c·tan(π(u − ½)),
    /// u0 and u1 the distribution function at the two ends.
    #[reference = "Hang et al. 2024, arXiv 2407.03297"]
    pub struct CauchyLogsnr: NoiseSchedule, NoiseScheduleSpec = "cauchy_logsnr" {
        /// Centre of the law in log-SNR.
        pub mu: f64 = 0.0,
        /// Half-width of the law in log-SNR, above 0.
        pub c: f64 = 1.0,
        /// Log-SNR at t = 0.
        pub gamma_min: f64 = -5.0,
        /// Log-SNR at t = 1, above gamma_min.
        pub gamma_max: f64 = 5.0,
        /// Whether the parameters are learned with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for CauchyLogsnr {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let shape = Shape {
            mu: self.mu,
            width: ("c", self.c),
            ends: (self.gamma_min, self.gamma_max),
            learnable: self.learnable,
        };
        LogSnrLaw::build(ctx, shape, Cauchy)
    }
}

#[derive(Debug)]
struct Cauchy;

impl Standard for Cauchy {
    /// ½ + atan(x)/π as the angle of (−x, 1), which is small where x is far below 0.
    fn cdf(&self, x: &Tensor) -> Tensor {
        x.ones_like().atan2(&x.neg()) * FRAC_1_PI
    }

    /// tan(π(u − ½)), in which u − ½ would lose the digits of u.
    fn lower_quantile(&self, u: &Tensor) -> Tensor {
        (u * PI).tan().reciprocal().neg()
    }

    fn inverse_density(&self, x: &Tensor) -> Tensor {
        (x.square() + 1.0) * PI
    }
}

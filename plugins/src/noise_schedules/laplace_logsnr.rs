//! Noise levels follow a Laplace law in log-SNR: most training time near its centre.

use super::logsnr_law::{LogSnrLaw, Shape, Standard};
use triflow::prelude::*;

triflow::component! {
    /// Noise levels follow a Laplace law in log-SNR: most training time near its centre.
    ///
    /// γ(t) = Q(u0 + (u1 − u0)t) with Q(u) = mu − b·sgn(u − ½)·ln(1 − 2|u − ½|),
    /// u0 and u1 the distribution function at the two ends.
    #[reference = "Hang et al. 2024, arXiv 2407.03297"]
    pub struct LaplaceLogsnr: NoiseSchedule, NoiseScheduleSpec = "laplace_logsnr" {
        /// Centre of the law in log-SNR.
        pub mu: f64 = 0.0,
        /// Width of the law in log-SNR, above 0.
        pub b: f64 = 0.5,
        /// Log-SNR at t = 0.
        pub gamma_min: f64 = -5.0,
        /// Log-SNR at t = 1, above gamma_min.
        pub gamma_max: f64 = 5.0,
        /// Whether the parameters are learned with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for LaplaceLogsnr {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let shape = Shape {
            mu: self.mu,
            width: ("b", self.b),
            ends: (self.gamma_min, self.gamma_max),
            learnable: self.learnable,
        };
        LogSnrLaw::build(ctx, shape, Laplace)
    }
}

#[derive(Debug)]
struct Laplace;

impl Standard for Laplace {
    /// ½e^x below the centre, 1 − ½e^(−x) above; at the centre each half has half of the slope.
    fn cdf(&self, x: &Tensor) -> Tensor {
        let zero = x.zeros_like();
        (x.minimum(&zero).exp() - x.maximum(&zero).neg().expm1()) * 0.5
    }

    fn lower_quantile(&self, u: &Tensor) -> Tensor {
        (u * 2.0).log()
    }

    fn inverse_density(&self, x: &Tensor) -> Tensor {
        x.abs().exp() * 2.0
    }
}

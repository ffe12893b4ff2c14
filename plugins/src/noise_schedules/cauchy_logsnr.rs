use super::logsnr_distribution::{LogSnrDistribution, LogSnrParameters, Standard};
use std::f64::consts::{FRAC_1_PI, PI};
use triflow::prelude::*;

triflow::component! {
    /// Log-SNR with a Cauchy distribution over uniform time: a broad peak with heavy tails.
    ///
    /// γ(t) = Q(u0 + (u1 − u0)t) with the quantile function Q(u) = mu + c·tan(π(u − ½));
    /// Q(u0) = gamma_min and Q(u1) = gamma_max.
    #[reference = "Hang et al. 2024, arXiv 2407.03297"]
    pub struct CauchyLogsnr: NoiseSchedule = "cauchy_logsnr" {
        /// Centre of the distribution, in log-SNR.
        pub mu: f64 = 0.0,
        /// Half-width of the distribution, in log-SNR.
        #[range(above = 0)]
        pub c: f64 = 1.0,
        /// Log-SNR at t = 0.
        pub gamma_min: f64 = -5.0,
        /// Log-SNR at t = 1, above gamma_min.
        pub gamma_max: f64 = 5.0,
        /// Learn the parameters with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for CauchyLogsnr {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let parameters = LogSnrParameters {
            mu: self.mu,
            width: ("c", self.c),
            ends: (self.gamma_min, self.gamma_max),
            learnable: self.learnable,
        };
        LogSnrDistribution::build(ctx, parameters, Cauchy)
    }
}

#[derive(Debug)]
struct Cauchy;

impl Standard for Cauchy {
    /// ½ + atan(x)/π, computed as the angle of (−x, 1), which keeps its digits far below 0.
    fn cdf(&self, x: &Tensor) -> Tensor {
        x.ones_like().atan2(&x.neg()) * FRAC_1_PI
    }

    /// tan(π(u − ½)), computed as −1/tan(πu), since u − ½ would lose the digits of u.
    fn lower_quantile(&self, u: &Tensor) -> Tensor {
        (u * PI).tan().reciprocal().neg()
    }

    fn inverse_density(&self, x: &Tensor) -> Tensor {
        (x.square() + 1.0) * PI
    }
}

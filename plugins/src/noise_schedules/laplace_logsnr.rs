use super::logsnr_distribution::{LogSnrDistribution, LogSnrParameters, Standard};
use triflow::prelude::*;

triflow::component! {
    /// Log-SNR with a Laplace distribution over uniform time: most time near its centre.
    ///
    /// γ(t) = Q(u0 + (u1 − u0)t) with the quantile function
    /// Q(u) = mu − b·sgn(u − ½)·ln(1 − 2|u − ½|); Q(u0) = gamma_min and Q(u1) = gamma_max.
    #[reference = "Hang et al. 2024, arXiv 2407.03297"]
    pub struct LaplaceLogsnr: NoiseSchedule = "laplace_logsnr" {
        /// Centre of the distribution, in log-SNR.
        pub mu: f64 = 0.0,
        /// Width of the distribution, in log-SNR.
        #[range(above = 0)]
        pub b: f64 = 0.5,
        /// Log-SNR at t = 0.
        pub gamma_min: f64 = -5.0,
        /// Log-SNR at t = 1, above gamma_min.
        pub gamma_max: f64 = 5.0,
        /// Learn the parameters with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for LaplaceLogsnr {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        let parameters = LogSnrParameters {
            mu: self.mu,
            width: ("b", self.b),
            ends: (self.gamma_min, self.gamma_max),
            learnable: self.learnable,
        };
        LogSnrDistribution::build(ctx, parameters, Laplace)
    }
}

#[derive(Debug)]
struct Laplace;

impl Standard for Laplace {
    /// ½e^x below the centre, 1 − ½e^(−x) above; at the centre each contributes half of the
    /// gradient.
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

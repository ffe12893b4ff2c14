use super::parameter::{Parameter, Transform};
use triflow::prelude::*;

triflow::component! {
    /// Log-SNR as a linear function of time, so that alpha_bar is a sigmoid.
    ///
    /// γ(t) = k(t − t_mid).
    #[reference = "Jabri et al. 2022, arXiv 2212.11972, appendix B"]
    pub struct Sigmoid: NoiseSchedule = "sigmoid" {
        /// Slope k of log-SNR over time.
        #[range(above = 0)]
        pub k: f64 = 10.0,
        /// Time at which signal and noise are equal (log-SNR 0).
        pub t_mid: f64 = 0.5,
        /// Learn the parameters with the model.
        pub learnable: bool = false,
    }
}

impl Spec<dyn NoiseSchedule> for Sigmoid {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        Ok(Box::new(Line {
            k: Parameter::new(ctx, "k", self.k, Transform::Above(0.0), self.learnable)?,
            t_mid: Parameter::new(ctx, "t_mid", self.t_mid, Transform::Free, self.learnable)?,
        }))
    }
}

#[derive(Debug)]
struct Line {
    k: Parameter,
    t_mid: Parameter,
}

impl NoiseSchedule for Line {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok((t - self.t_mid.value()) * self.k.value())
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        Ok(t.ones_like() * self.k.value())
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        Ok(gamma / self.k.value() + self.t_mid.value())
    }
}

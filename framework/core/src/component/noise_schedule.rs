use super::BuildContext;
use super::bisection::time_of;
use crate::component_kind;
use crate::error::Result;
use tch::Tensor;

component_kind! {
    /// The log-SNR over time, which mixes signal and noise on the variance-preserving path.
    kind "noise_schedule", context<'a> BuildContext<'a>;

    /// Log-SNR γ(t), increasing on \[0, 1\] from noise (t = 0) to data (t = 1); alpha_bar =
    /// sigmoid(γ).
    ///
    /// Only `gamma` is required; closed forms of the others are faster and more exact.
    pub trait NoiseSchedule {
        /// Log-SNR at `t` (`[batch]` in \[0, 1\]), in the shape and precision of `t`; finite at
        /// both ends.
        fn gamma(&self, t: &Tensor) -> Result<Tensor>;
    }
    provided {
        /// dγ/dt at `t` (`[batch]`), in its shape; by automatic differentiation unless overridden.
        fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
            let leaf = t.detach().set_requires_grad(true);
            // In training the graph is kept, so that a learnable schedule gets gradients through γ'
            // too.
            let recording = (&leaf * 1.0).requires_grad();
            let total = tch::with_grad(|| -> Result<Tensor> {
                let gamma = self.gamma(&leaf)?;
                Ok(gamma.sum(gamma.kind()))
            })?;
            let grad = Tensor::f_run_backward(&[total], &[&leaf], recording, recording)?;
            Ok(grad.into_iter().next().map_or_else(|| t.zeros_like(), |g| if g.defined() { g } else { t.zeros_like() }))
        }
        /// Time at which the log-SNR is `gamma` (`[batch]`, between γ(0) and γ(1)), without
        /// gradient; by bisection unless overridden.
        fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
            time_of(gamma, |t| self.gamma(t))
        }
    }
}

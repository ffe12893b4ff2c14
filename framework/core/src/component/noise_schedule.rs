use super::BuildContext;
use crate::component_kind;
use crate::error::Result;
use tch::{Kind as DType, Tensor};

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
            tch::no_grad(|| {
                // A few values are bracketed among many parts at once, many values by halving: to
                // 60 (30) bits either way.
                let parts = (64 / (gamma.numel().max(1) as u64).next_power_of_two()).max(2);
                let bits = if gamma.kind() == DType::Double { 60 } else { 30 };
                let shares = Tensor::arange_start(1, parts as i64, (gamma.kind(), gamma.device())) / parts as f64;
                let sought = gamma.unsqueeze(-1);
                let (mut low, mut width) = (gamma.zeros_like(), 1.0);
                for _ in 0..u32::div_ceil(bits, parts.ilog2()) {
                    let nodes = low.unsqueeze(-1) + &shares * width;
                    let below = self.gamma(&nodes.view(-1))?.view_as(&nodes).lt_tensor(&sought);
                    width /= parts as f64;
                    low += below.sum_dim_intlist([-1].as_slice(), false, gamma.kind()) * width;
                }
                Ok(low + width * 0.5)
            })
        }
    }
}

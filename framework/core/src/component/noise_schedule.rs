//! Noise schedules: log-SNR over time.

use super::BuildContext;
use crate::component_kind;
use crate::error::Result;
use tch::{Kind as DType, Tensor};

component_kind! {
    /// How signal and noise are mixed over time on the variance-preserving path.
    kind "noise_schedule", spec NoiseScheduleSpec, context<'a> BuildContext<'a>;

    /// γ(t) = log-SNR, increasing on \[0, 1\] from noise (t = 0) to data (t = 1); alpha_bar = sigmoid(γ).
    ///
    /// One function is enough; a closed form of the others is faster and more exact.
    pub trait NoiseSchedule {
        /// Log-SNR at `t` (`[batch]`, in \[0, 1\]), same shape; finite at both ends. In the precision of `t`.
        fn gamma(&self, t: &Tensor) -> Result<Tensor>;
    }
    provided {
        /// dγ/dt at `t` (`[batch]`). By automatic differentiation unless a closed form is given.
        fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
            let leaf = t.detach().set_requires_grad(true);
            // Under training the graph is kept: a learnable schedule learns through γ' as well.
            let recording = (&leaf * 1.0).requires_grad();
            let total = tch::with_grad(|| -> Result<Tensor> {
                let gamma = self.gamma(&leaf)?;
                Ok(gamma.sum(gamma.kind()))
            })?;
            let grad = Tensor::f_run_backward(&[total], &[&leaf], recording, recording)?;
            Ok(grad.into_iter().next().map_or_else(|| t.zeros_like(), |g| if g.defined() { g } else { t.zeros_like() }))
        }
        /// The time at which log-SNR is `gamma` (`[batch]`, between γ(0) and γ(1)); no gradient. By bracketing
        /// unless a closed form is given.
        fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
            tch::no_grad(|| {
                // Few values are sought among many parts at once, many by halving: 60 (30) bits either way.
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

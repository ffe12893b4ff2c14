use crate::error::Result;
use tch::{Kind as DType, Tensor};

/// Times in \[0, 1\] at which the rising function `gamma_at` is `gamma` (`[batch]`), without
/// gradient, by bisection to 60 bits in float64, to 30 in other precisions.
pub(super) fn time_of(
    gamma: &Tensor,
    gamma_at: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    tch::no_grad(|| {
        // A few values are bracketed among many parts at once, many values by halving.
        let parts = (64 / (gamma.numel().max(1) as u64).next_power_of_two()).max(2);
        let bits = if gamma.kind() == DType::Double { 60 } else { 30 };
        let options = (gamma.kind(), gamma.device());
        let shares = Tensor::arange_start(1, parts as i64, options) / parts as f64;
        let sought = gamma.unsqueeze(-1);
        let (mut low, mut width) = (gamma.zeros_like(), 1.0);
        for _ in 0..u32::div_ceil(bits, parts.ilog2()) {
            let nodes = low.unsqueeze(-1) + &shares * width;
            let below = gamma_at(&nodes.view(-1))?.view_as(&nodes).lt_tensor(&sought);
            width /= parts as f64;
            low += below.sum_dim_intlist([-1].as_slice(), false, gamma.kind()) * width;
        }
        Ok(low + width * 0.5)
    })
}

//! Optimizers: one step over all parameters at once.

mod adagrad;
mod adam;
mod adamw;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamw::Adamw;
pub use sgd::Sgd;

use triflow::prelude::*;

/// Adam's step with decoupled weight decay, a handful of kernels over the flat parameters.
fn adam_step(
    parameters: &mut Tensor,
    gradient: &Tensor,
    state: &mut OptimizerState,
    learning_rate: f64,
    (beta1, beta2): (f64, f64),
    eps: f64,
    weight_decay: f64,
) -> Result<()> {
    let correction1 = 1.0 - beta1.powf(state.step as f64);
    let correction2 = 1.0 - beta2.powf(state.step as f64);
    let [mean, square] = state.moments.as_mut_slice() else {
        return Err(Error::runtime("the optimizer's state does not fit: it has other moments"));
    };
    let _ = mean.lerp_(gradient, 1.0 - beta1);
    let _ = square.lerp_(&gradient.square(), 1.0 - beta2);
    let scale = (&*square * (1.0 / correction2)).sqrt_() + eps;
    if weight_decay != 0.0 {
        let _ = parameters.g_mul_scalar_(1.0 - learning_rate * weight_decay);
    }
    let _ = parameters.addcdiv_(&(&*mean * (-learning_rate / correction1)), &scale);
    Ok(())
}

use triflow::kernels::{AdamStep, adam};
use triflow::prelude::*;

/// Adam's update with decoupled weight decay, which Adam and AdamW share.
#[derive(Debug)]
pub struct AdamRule {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
}

impl Optimizer for AdamRule {
    fn learning_rate(&self) -> Result<f64> {
        Ok(self.learning_rate)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(vec![("mean", 0.0), ("square", 0.0)])
    }

    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: &Tensor,
    ) -> Result<()> {
        let [mean, square] = state.moments.as_mut_slice() else {
            return Err(Error::runtime("the optimizer's state does not fit: it has other moments"));
        };
        let options = AdamStep {
            step: &state.step,
            learning_rate,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            weight_decay: self.weight_decay,
        };
        adam(parameters, gradient, mean, square, options);
        Ok(())
    }
}

use triflow::prelude::*;

triflow::component! {
    /// SGD: stochastic gradient descent, optionally with momentum.
    pub struct Sgd: Optimizer = "sgd" {
        /// Base learning rate.
        #[range(above = 0)]
        pub learning_rate: f64 = 1e-3,
        /// Momentum: decay of the running sum of gradients.
        #[range(min = 0, below = 1)]
        pub momentum: f64 = 0.0,
    }
}

impl Spec<dyn Optimizer> for Sgd {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for Sgd {
    fn learning_rate(&self) -> Result<f64> {
        Ok(self.learning_rate)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(if self.momentum == 0.0 { vec![] } else { vec![("velocity", 0.0)] })
    }

    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: &Tensor,
    ) -> Result<()> {
        match state.moments.first_mut() {
            Some(velocity) => {
                let _ = velocity.g_mul_scalar_(self.momentum);
                *velocity += gradient;
                *parameters += &*velocity * -learning_rate;
            }
            None => *parameters += gradient * -learning_rate,
        }
        Ok(())
    }
}

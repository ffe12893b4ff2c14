use super::require;
use triflow::prelude::*;

triflow::component! {
    /// Adagrad: steps of the gradient divided by the root of the sum of squared gradients.
    #[reference = "Duchi, Hazan and Singer 2011"]
    pub struct Adagrad: Optimizer = "adagrad" {
        /// Base learning rate, above 0.
        pub learning_rate: f64 = 1e-3,
        /// Initial sum of squared gradients, from 0 to 3.4e38.
        pub initial_accumulator: f64 = 0.1,
        /// Constant added to the root, above 0.
        pub eps: f64 = 1e-7,
    }
}

impl Spec<dyn Optimizer> for Adagrad {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        let start = self.initial_accumulator;
        require(
            (0.0..=f64::from(f32::MAX)).contains(&start),
            "initial_accumulator",
            "0 <= initial_accumulator <= 3.4e38",
        )?;
        require(self.eps.is_finite() && self.eps > 0.0, "eps", "eps > 0")?;
        Ok(Box::new(self.clone()))
    }
}

impl Optimizer for Adagrad {
    fn learning_rate(&self) -> Result<f64> {
        Ok(self.learning_rate)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(vec![("sum", self.initial_accumulator)])
    }

    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: &Tensor,
    ) -> Result<()> {
        let [sum] = state.moments.as_mut_slice() else {
            return Err(Error::runtime("the optimizer's state does not fit: it has other moments"));
        };
        let _ = sum.addcmul_(gradient, gradient);
        let _ = parameters.addcdiv_(&(gradient * -learning_rate), &(sum.sqrt() + self.eps));
        Ok(())
    }
}

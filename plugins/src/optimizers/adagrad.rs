use triflow::prelude::*;

triflow::component! {
    /// Adagrad: steps of the gradient divided by the root of the sum of squared gradients.
    #[reference = "Duchi, Hazan and Singer 2011"]
    pub struct Adagrad: Optimizer = "adagrad" {
        /// Base learning rate.
        #[range(above = 0)]
        pub learning_rate: f64 = 1e-3,
        /// Initial sum of squared gradients, from 0 to 3.4e38.
        #[range(min = 0, max = f32::MAX)]
        pub initial_accumulator: f64 = 0.1,
        /// Constant added to the root.
        #[range(above = 0)]
        pub eps: f64 = 1e-7,
    }
}

impl Spec<dyn Optimizer> for Adagrad {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
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

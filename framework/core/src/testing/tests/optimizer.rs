use super::Fault;
use crate::prelude::*;
use std::cell::Cell;

triflow::component! {
    /// Steps along a running mean of the gradient, unless it has a fault.
    pub struct Twin: Optimizer = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Rule {
    fault: Fault,
    drift: f64,
    steps: Cell<f64>,
}

impl Spec<dyn Optimizer> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Optimizer>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        let (fault, drift) = (self.fault.clone(), self.fault.drift());
        Ok(Box::new(Rule { fault, drift, steps: 0.0.into() }))
    }
}

impl Optimizer for Rule {
    fn learning_rate(&self) -> Result<f64> {
        Ok(0.01)
    }

    fn moments(&self) -> Result<Vec<(&'static str, f64)>> {
        Ok(vec![("mean", 0.0)])
    }

    fn step(
        &self,
        parameters: &mut Tensor,
        gradient: &Tensor,
        state: &mut OptimizerState,
        learning_rate: &Tensor,
    ) -> Result<()> {
        let _ = state.moments[0].lerp_(gradient, 0.1);
        self.steps.set(self.steps.get() + 1.0);
        let rate = match () {
            () if self.fault.is("descends") => -learning_rate,
            () if self.fault.is("zero_rate") => learning_rate.clamp_min(1e-3),
            // State that is not in the moments.
            () if self.fault.is("resumes") => learning_rate / self.steps.get(),
            () => learning_rate * (1.0 + self.drift),
        };
        let change = &state.moments[0] * -rate;
        if self.fault.is("in_place") {
            *parameters = &*parameters + change;
        } else {
            *parameters += change;
        }
        if self.fault.is("changes_gradient") {
            let _ = gradient.shallow_clone().zero_();
        }
        if self.fault.is("moments") {
            state.moments.push(parameters.copy());
        }
        Ok(())
    }
}

//! A solver: order 2 at one evaluation a step.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// The two-step Adams–Bashforth method: order 2 at one evaluation a step.
    ///
    /// Each step follows the line through the last two derivatives; the first step is Euler's. Steps may
    /// differ in length.
    #[reference = "Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, III.1 and III.5"]
    pub struct AdamsBashforth: Solver, SolverSpec = "adams_bashforth" {}
}

impl Spec<dyn Solver> for AdamsBashforth {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stepper for AdamsBashforth {
    type Node = ();
    /// The slope and the length of the step.
    type Memory = (Tensor, f64);

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>> {
        let now = step.slope()?;
        let mean = match step.before {
            Some((earlier, h)) => &now + (&now - earlier) * (step.h / h / 2.0),
            None => now.shallow_clone(),
        };
        Ok(Stepped::to(step.z + mean * step.h).remember((now, step.h)))
    }

    fn order(&self) -> usize {
        2
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::AdamsBashforth::default());
    }
}

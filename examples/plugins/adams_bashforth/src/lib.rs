//! A plugin with one component, a solver.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// The two-step Adams–Bashforth method, order 2.
    ///
    /// Each step follows the line through the last two velocities; the first step is Euler's. Steps
    /// may differ in length. 1 evaluation a step.
    #[reference = "Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, III.1, III.5"]
    pub struct AdamsBashforth: Solver = "adams_bashforth" {}
}

impl Spec<dyn Solver> for AdamsBashforth {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stepper for AdamsBashforth {
    type Node = ();
    /// Velocity at the start of the last step, and the length of that step.
    type Memory = (Tensor, f64);

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>> {
        let now = step.slope()?;
        let mean = match step.before {
            Some((earlier, last_h)) => &now + (&now - earlier) * (step.h / last_h / 2.0),
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

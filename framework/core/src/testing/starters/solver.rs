//! A solver: the integrator from noise to data.

use triflow::prelude::*;

triflow::component! {
    /// Runge-Kutta method of two stages, the second at a given share of the step.
    ///
    /// Order 2 for every share: 1/2 is the midpoint rule, 2/3 Ralston's method, 1 Heun's.
    #[reference = "Ralston 1962"]
    pub struct MyComponent: Solver = "my_component" {
        /// Position of the second stage, as a share of the step.
        #[range(above = 0, max = 1)]
        pub share: f64 = 2.0 / 3.0,
    }
}

impl Spec<dyn Solver> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stepper for MyComponent {
    /// Knowledge of the path at both ends of a step: none, or with `Level` its a, b and log-SNR.
    type Node = ();
    /// Memory for the next step, as in a multistep method: none.
    type Memory = ();

    /// Steps from the state `step.z` at the clock `step.s` over the length `step.h`.
    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped> {
        let (first, ahead) = (step.slope()?, self.share * step.h);
        let second = step.derivative(&(step.z + &first * ahead), step.s + ahead)?;
        let change = &first * step.h + (second - &first) * (step.h / (2.0 * self.share));
        Ok(Stepped::to(step.z + change))
    }

    fn order(&self) -> usize {
        2
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

//! A solver: from noise to data along a field.

use triflow::prelude::*;

triflow::component! {
    /// Two looks at the field a step, of which the second is a share of the step ahead.
    ///
    /// Order 2 whatever the share: 1/2 is the midpoint rule, 2/3 Ralston's, 1 Heun's.
    #[reference = "Ralston 1962"]
    pub struct MyComponent: Solver, SolverSpec = "my_component" {
        /// How far ahead the second look is, as a share of the step, in (0, 1].
        pub share: f64 = 2.0 / 3.0,
    }
}

impl Spec<dyn Solver> for MyComponent {
    /// Checks the parameters.
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        if self.share > 0.0 && self.share <= 1.0 {
            return Ok(Box::new(self.clone()));
        }
        Err(Error::config("share", "needs 0 < share <= 1"))
    }
}

impl Stepper for MyComponent {
    /// Known of the path at both ends of a step: nothing, or with `Level` its a, b and log-SNR.
    type Node = ();
    /// Handed from step to step, as by a multistep method: nothing.
    type Memory = ();

    /// From the state `step.z` at the clock `step.s` over the length `step.h`.
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

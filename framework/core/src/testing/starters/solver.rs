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

impl Solver for MyComponent {
    /// Walks the nodes of `grid`, and shows each state to `seen`.
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let mut z = z0.shallow_clone();
        seen.see(grid.start(), &z)?;
        for pair in grid.nodes.windows(2) {
            let (s, h) = (pair[0], pair[1] - pair[0]);
            let first = field.derivative(&z, s)?;
            let ahead = self.share * h;
            let second = field.derivative(&(&z + &first * ahead), s + ahead)?;
            // A new tensor: `z +=` would change the caller's start.
            z = z + &first * h + (second - first) * (h / (2.0 * self.share));
            seen.see(pair[1], &z)?;
        }
        if z.isfinite().all().int64_value(&[]) == 0 {
            return Err(Error::runtime("the state at the end of the grid is not finite"));
        }
        Ok(Solution { z, nfe: 2 * (grid.nodes.len() - 1), rejected: 0 })
    }

    fn order(&self) -> Result<usize> {
        Ok(2)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

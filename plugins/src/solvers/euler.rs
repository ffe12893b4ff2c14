//! Euler steps along the field at the start of each step.

use triflow::prelude::*;

triflow::component! {
    /// Euler steps along the field at the start of each step.
    ///
    /// Order 1, 1 evaluation a step.
    pub struct Euler: Solver, SolverSpec = "euler" {}
}

impl Spec<dyn Solver> for Euler {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Solver for Euler {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        FixedSteps::walk(field, z0, grid, seen, 1, |f, z, s, h| Ok(z + f.derivative(z, s)? * h))
    }

    fn order(&self) -> Result<usize> {
        Ok(1)
    }
}

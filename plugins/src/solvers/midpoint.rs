//! Midpoint steps along the field half a step ahead.

use triflow::prelude::*;

triflow::component! {
    /// Midpoint steps along the field half a step ahead.
    ///
    /// Order 2, 2 evaluations a step.
    pub struct Midpoint: Solver, SolverSpec = "midpoint" {}
}

impl Spec<dyn Solver> for Midpoint {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Solver for Midpoint {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        FixedSteps::walk(field, z0, grid, seen, 2, |f, z, s, h| {
            let half = z + f.derivative(z, s)? * (h / 2.0);
            Ok(z + f.derivative(&half, s + h / 2.0)? * h)
        })
    }

    fn order(&self) -> Result<usize> {
        Ok(2)
    }
}

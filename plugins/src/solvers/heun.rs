//! Heun's steps along the mean field of start and end.

use triflow::prelude::*;

triflow::component! {
    /// Heun's steps along the mean field of start and end.
    ///
    /// Order 2, 2 evaluations a step.
    pub struct Heun: Solver, SolverSpec = "heun" {}
}

impl Spec<dyn Solver> for Heun {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Solver for Heun {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        FixedSteps::walk(field, z0, grid, seen, 2, |f, z, s, h| {
            let k1 = f.derivative(z, s)?;
            let k2 = f.derivative(&(z + &k1 * h), s + h)?;
            Ok(z + (k1 + k2) * (h / 2.0))
        })
    }

    fn order(&self) -> Result<usize> {
        Ok(2)
    }
}

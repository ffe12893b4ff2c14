//! The classical Runge-Kutta steps.

use triflow::prelude::*;

triflow::component! {
    /// The classical Runge-Kutta steps.
    ///
    /// Order 4, 4 evaluations a step.
    pub struct Rk4: Solver, SolverSpec = "rk4" {}
}

impl Spec<dyn Solver> for Rk4 {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Solver for Rk4 {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        FixedSteps::walk(field, z0, grid, seen, 4, |f, z, s, h| {
            let k1 = f.derivative(z, s)?;
            let k2 = f.derivative(&(z + &k1 * (h / 2.0)), s + h / 2.0)?;
            let k3 = f.derivative(&(z + &k2 * (h / 2.0)), s + h / 2.0)?;
            let k4 = f.derivative(&(z + &k3 * h), s + h)?;
            Ok(z + (k1 + (k2 + k3) * 2.0 + k4) * (h / 6.0))
        })
    }

    fn order(&self) -> Result<usize> {
        Ok(4)
    }
}

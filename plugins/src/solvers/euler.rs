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
        Ok(Box::new(FixedSteps { order: 1, evaluations: 1, step }))
    }
}

fn step(field: &dyn Field, z: &Tensor, s: f64, h: f64) -> Result<Tensor> {
    Ok(z + field.derivative(z, s)? * h)
}

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
        Ok(Box::new(FixedSteps { order: 2, evaluations: 2, step }))
    }
}

fn step(field: &dyn Field, z: &Tensor, s: f64, h: f64) -> Result<Tensor> {
    let half = z + field.derivative(z, s)? * (h / 2.0);
    Ok(z + field.derivative(&half, s + h / 2.0)? * h)
}

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
        Ok(Box::new(FixedSteps { order: 2, evaluations: 2, step }))
    }
}

fn step(field: &dyn Field, z: &Tensor, s: f64, h: f64) -> Result<Tensor> {
    let k1 = field.derivative(z, s)?;
    let k2 = field.derivative(&(z + &k1 * h), s + h)?;
    Ok(z + (k1 + k2) * (h / 2.0))
}

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
        Ok(Box::new(FixedSteps { order: 4, evaluations: 4, step }))
    }
}

fn step(field: &dyn Field, z: &Tensor, s: f64, h: f64) -> Result<Tensor> {
    let k1 = field.derivative(z, s)?;
    let k2 = field.derivative(&(z + &k1 * (h / 2.0)), s + h / 2.0)?;
    let k3 = field.derivative(&(z + &k2 * (h / 2.0)), s + h / 2.0)?;
    let k4 = field.derivative(&(z + &k3 * h), s + h)?;
    Ok(z + (k1 + (k2 + k3) * 2.0 + k4) * (h / 6.0))
}

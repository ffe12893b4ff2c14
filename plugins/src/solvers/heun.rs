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
        TABLEAU.fixed()
    }
}

const TABLEAU: Tableau = Tableau {
    order: 2,
    c: &[0.0, 1.0],
    a: &[&[], &[1.0]],
    b: &[1.0 / 2.0, 1.0 / 2.0],
    embedded: None,
};

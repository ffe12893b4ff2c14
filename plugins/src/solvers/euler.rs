use triflow::prelude::*;

triflow::component! {
    /// Euler's method, order 1: steps along the velocity at their start.
    ///
    /// 1 evaluation a step.
    pub struct Euler: Solver = "euler" {}
}

impl Spec<dyn Solver> for Euler {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        TABLEAU.fixed()
    }
}

const TABLEAU: Tableau = Tableau { order: 1, c: &[0.0], a: &[&[]], b: &[1.0], embedded: None };

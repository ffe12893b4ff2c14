use triflow::prelude::*;

triflow::component! {
    /// The classical Runge-Kutta method, order 4.
    ///
    /// 4 evaluations a step.
    pub struct Rk4: Solver = "rk4" {}
}

impl Spec<dyn Solver> for Rk4 {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        TABLEAU.fixed()
    }
}

const TABLEAU: Tableau = Tableau {
    order: 4,
    c: &[0.0, 1.0 / 2.0, 1.0 / 2.0, 1.0],
    a: &[&[], &[1.0 / 2.0], &[0.0, 1.0 / 2.0], &[0.0, 0.0, 1.0]],
    b: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    embedded: None,
};

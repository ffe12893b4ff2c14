use triflow::prelude::*;

triflow::component! {
    /// The midpoint method, order 2: steps along the velocity at their middle.
    ///
    /// 2 evaluations a step.
    pub struct Midpoint: Solver = "midpoint" {}
}

impl Spec<dyn Solver> for Midpoint {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        TABLEAU.fixed()
    }
}

const TABLEAU: Tableau = Tableau {
    order: 2,
    c: &[0.0, 1.0 / 2.0],
    a: &[&[], &[1.0 / 2.0]],
    b: &[0.0, 1.0],
    embedded: None,
};

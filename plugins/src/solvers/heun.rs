use triflow::prelude::*;

triflow::component! {
    /// Heun's method, order 2: steps along the mean velocity of their start and end.
    ///
    /// 2 evaluations a step.
    pub struct Heun: Solver = "heun" {}
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

//! Bogacki and Shampine's embedded pair of orders 3 and 2, with its own steps.

use triflow::prelude::*;

triflow::component! {
    /// Bogacki and Shampine's embedded pair of orders 3 and 2: chooses its own steps to meet a tolerance.
    ///
    /// Order 3, three evaluations a step: at loose tolerances (above some 1e-3) it reaches them with fewer
    /// evaluations than `dopri5`. The rows of a batch share their steps. `sampling.steps` is not used.
    #[reference = "Bogacki & Shampine 1989, Applied Mathematics Letters 2(4)"]
    pub struct Bosh3: Solver, SolverSpec = "bosh3" {
        /// Relative tolerance, above 0.
        pub rtol: f64 = 1e-3,
        /// Absolute tolerance, above 0.
        pub atol: f64 = 1e-4,
        /// First step, as a share of the whole interval, above 0.
        pub first_step: f64 = 0.05,
        /// Most steps, accepted and rejected; more are an error.
        pub max_steps: usize = 10_000,
        /// What is held against the tolerance: the error of the batch, or of its worst row.
        pub error: ErrorNorm = ErrorNorm::Batch,
        /// The next step's length in this one's: safety·E^(−alpha/k)·E_before^(beta/k), between `min` and `max`,
        /// E the error as a share of the tolerance, k the order.
        pub factor: StepFactor = StepFactor::default(),
    }
}

impl Spec<dyn Solver> for Bosh3 {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        TABLEAU.adaptive(StepControl {
            rtol: self.rtol,
            atol: self.atol,
            first_step: self.first_step,
            max_steps: self.max_steps,
            error: self.error,
            factor: self.factor.clone(),
        })
    }
}

const TABLEAU: Tableau = Tableau {
    order: 3,
    c: &[0.0, 1.0 / 2.0, 3.0 / 4.0, 1.0],
    a: &[&[], &[1.0 / 2.0], &[0.0, 3.0 / 4.0], &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]],
    b: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0, 0.0],
    embedded: Some(&[7.0 / 24.0, 1.0 / 4.0, 1.0 / 3.0, 1.0 / 8.0]),
};

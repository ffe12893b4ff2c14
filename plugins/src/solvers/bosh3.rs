use triflow::prelude::*;

triflow::component! {
    /// Bogacki and Shampine's adaptive Runge-Kutta method, order 3(2).
    ///
    /// Its steps are chosen to meet a tolerance, and shared by the rows of a batch;
    /// `sampling.steps` is not used. 3 evaluations a step: at loose tolerances (above some 1e-3) it
    /// needs fewer evaluations than `dopri5`.
    #[reference = "Bogacki and Shampine 1989, doi 10.1016/0893-9659(89)90079-7"]
    pub struct Bosh3: Solver = "bosh3" {
        /// Relative tolerance.
        #[range(above = 0)]
        pub rtol: f64 = 1e-3,
        /// Absolute tolerance.
        #[range(above = 0)]
        pub atol: f64 = 1e-4,
        /// First step, as a share of the interval of integration.
        #[range(above = 0)]
        pub first_step: f64 = 0.05,
        /// Largest number of steps, accepted and rejected; more are an error.
        #[range(min = 1)]
        pub max_steps: usize = 10_000,
        /// Error that has to meet the tolerance: that of the batch, or of its worst row.
        pub error: ErrorNorm = ErrorNorm::Batch,
        /// Factor from a step's length to the next: safety·E^(−alpha/k)·E_before^(beta/k), between
        /// `min` and `max`, for an error of E tolerances and a method of order k.
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

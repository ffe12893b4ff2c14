use triflow::prelude::*;

triflow::component! {
    /// Dormand and Prince's adaptive Runge-Kutta method, order 5(4).
    ///
    /// Its steps are chosen to meet a tolerance, and shared by the rows of a batch;
    /// `sampling.steps` is not used. 6 evaluations a step.
    #[reference = "Dormand and Prince 1980, doi 10.1016/0771-050X(80)90013-3; \
                   Hairer, Nørsett and Wanner 1993, Solving Ordinary Differential Equations I"]
    #[aliases("adaptive")]
    pub struct Dopri5: Solver = "dopri5" {
        /// Relative tolerance.
        #[range(above = 0)]
        pub rtol: f64 = 1e-5,
        /// Absolute tolerance.
        #[range(above = 0)]
        pub atol: f64 = 1e-6,
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

impl Spec<dyn Solver> for Dopri5 {
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
    order: 5,
    c: &[0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0],
    a: &[
        &[],
        &[1.0 / 5.0],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
        &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
    ],
    b: &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0, 0.0],
    embedded: Some(&[
        5179.0 / 57600.0,
        0.0,
        7571.0 / 16695.0,
        393.0 / 640.0,
        -92097.0 / 339_200.0,
        187.0 / 2100.0,
        1.0 / 40.0,
    ]),
};

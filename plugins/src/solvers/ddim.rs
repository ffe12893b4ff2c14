use triflow::prelude::*;

triflow::component! {
    /// DDIM, order 1: steps with the predicted data and noise held constant.
    ///
    /// A step from s to t is z_t = a_t·data + √(b_t² − σ²)·noise + σ·ξ with fresh noise ξ and
    /// σ = η·b_t·√(1 − e^(γ_s − γ_t)). At η = 0 it is deterministic, exact where the prediction
    /// does not change, and the same on every path; on the rectified path it is Euler's method. At
    /// η = 1 it is `ancestral`. 1 evaluation a step.
    #[reference = "Song, Meng and Ermon 2021, arXiv 2010.02502, eq. 12"]
    pub struct Ddim: Solver = "ddim" {
        /// Share of fresh noise η.
        #[range(min = 0, max = 1)]
        pub eta: f64 = 0.0,
    }
}

impl Spec<dyn Solver> for Ddim {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

triflow::component! {
    /// Ancestral sampling (DDPM): steps drawn from the posterior given the predicted data.
    ///
    /// It is the sampler of the discrete-time diffusion model with the smaller of its two
    /// variances, equal to `ddim` at η = 1. 1 evaluation a step.
    #[reference = "Ho, Jain and Abbeel 2020, arXiv 2006.11239, eq. 7"]
    pub struct Ancestral: Solver = "ancestral" {}
}

impl Spec<dyn Solver> for Ancestral {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ddim { eta: 1.0 }.build(&())
    }
}

impl Stepper for Ddim {
    type Node = Level;
    type Memory = ();

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped> {
        Ok(Stepped::to(step.renoised(&step.predicted()?, self.eta)?))
    }

    fn order(&self) -> usize {
        1
    }

    fn stochastic(&self) -> bool {
        self.eta > 0.0
    }
}

use triflow::prelude::*;

triflow::component! {
    /// The Euler–Maruyama method, weak order 1: Euler's steps along the reverse SDE.
    ///
    /// dz = (v − (η²/2)·b·γ'·noise) ds + η·√(b²·γ')·dW has the same marginals for every η: at 0 it
    /// is the probability-flow ODE and its solver `euler`, at 1 the reverse of the diffusion. Where
    /// log-SNR is −∞ at the start (the rectified path at t = 0) the diffusion coefficient is
    /// infinite; the first step is then that of `ddim`. 1 evaluation a step.
    #[reference = "Song et al. 2021, arXiv 2011.13456, eq. 6; \
                   Karras et al. 2022, arXiv 2206.00364, eq. 6"]
    pub struct EulerMaruyama: Solver = "euler_maruyama" {
        /// Churn η.
        #[range(min = 0)]
        pub eta: f64 = 1.0,
    }
}

impl Spec<dyn Solver> for EulerMaruyama {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stepper for EulerMaruyama {
    type Node = Level;
    type Memory = ();

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped> {
        let (data, at) = (step.predicted()?, step.from);
        if self.eta > 0.0 && at.a == 0.0 {
            return Ok(Stepped::to(step.renoised(&data, self.eta.min(1.0))?));
        }
        let noise = at.noise(step.z, &data);
        let drift = data * at.a_rate + &noise * at.b_rate;
        let z = step.z + drift * step.h;
        if self.eta == 0.0 {
            return Ok(Stepped::to(z));
        }
        let squared = at.diffusion() * self.eta * self.eta;
        let pull = noise * (0.5 * squared / at.b * step.h);
        Ok(Stepped::to(z - pull + step.noise()? * (squared * step.h).sqrt()))
    }

    fn order(&self) -> usize {
        1
    }

    fn stochastic(&self) -> bool {
        self.eta > 0.0
    }
}

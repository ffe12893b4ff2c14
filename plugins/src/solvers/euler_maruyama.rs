//! Euler's steps along the reverse SDE.

use super::levels::{Walk, check_churn};
use triflow::prelude::*;

triflow::component! {
    /// Euler's steps along the reverse SDE, of whatever churn.
    ///
    /// dz = (v − (η²/2)·b·γ'·noise) ds + η·√(b²·γ')·dW has the same marginals for every η: at 0 it is the
    /// probability-flow ODE and its solver `euler`, at 1 the reverse of the diffusion. Weak order 1,
    /// 1 evaluation a step. Where log-SNR is −∞ at the start (the rectified path at t = 0) the diffusion is
    /// infinite; the first step is then that of `ddim`.
    #[reference = "Song et al. 2021, arXiv 2011.13456, eq. 6; Karras et al. 2022, arXiv 2206.00364, eq. 6"]
    pub struct EulerMaruyama: Solver, SolverSpec = "euler_maruyama" {
        /// Churn η, at least 0.
        pub eta: f64 = 1.0,
    }
}

impl Spec<dyn Solver> for EulerMaruyama {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        check_churn(self.eta)?;
        Ok(Box::new(self.clone()))
    }
}

impl Solver for EulerMaruyama {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let mut walk = Walk::new(field, z0, grid, seen)?;
        while let Some(step) = walk.step() {
            let (data, h, at) = (walk.predict(step)?, step.next - step.s, step.from);
            let z = if self.eta > 0.0 && at.a == 0.0 {
                step.renoised(&walk, &data, self.eta.min(1.0))?
            } else {
                let noise = at.noise(&walk.z, &data);
                let drift = data * at.a_rate + &noise * at.b_rate;
                let z = &walk.z + drift * h;
                if self.eta > 0.0 {
                    let squared = at.diffusion() * self.eta * self.eta;
                    let pull = noise * (0.5 * squared / at.b * h);
                    z - pull + walk.noise()? * (squared * h).sqrt()
                } else {
                    z
                }
            };
            walk.arrive(z)?;
        }
        walk.end()
    }

    fn order(&self) -> Result<usize> {
        Ok(1)
    }

    fn stochastic(&self) -> Result<bool> {
        Ok(self.eta > 0.0)
    }

    fn needs_levels(&self) -> Result<bool> {
        Ok(true)
    }
}

//! DPM-Solver++ in its multistep form, deterministic and stochastic.

use super::levels::{Stride, Walk};
use triflow::prelude::*;

triflow::component! {
    /// DPM-Solver++(2M): steps in log-SNR along the line through the last two predictions of the data.
    ///
    /// Order 2 at 1 evaluation a step, one and the same on every path. At churn η > 0 it follows the reverse
    /// SDE instead, z_t = (b_t/b_s)·e^(−η²H)·z_s + a_t·(1 − e^(−(1+η²)H))·D + b_t·√(1 − e^(−2η²H))·ξ with H
    /// the step in ln(a/b), D the data on that line. The last of fewer than 15 steps is of order 1, as are
    /// steps to or from infinite log-SNR.
    #[reference = "Lu et al. 2022, arXiv 2211.01095, algorithm 2 and appendix on SDEs"]
    #[aliases("dpm_solver_pp")]
    pub struct Dpmpp: Solver, SolverSpec = "dpmpp" {
        /// Churn η of the reverse SDE, at least 0; 0: none.
        pub eta: f64 = 0.0,
    }
}

/// Below so many steps the last is of order 1, since its prediction would be drawn from too far.
const FEW: usize = 15;

impl Spec<dyn Solver> for Dpmpp {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        super::levels::check_churn(self.eta)?;
        Ok(Box::new(self.clone()))
    }
}

impl Dpmpp {
    fn next(&self, step: Stride, walk: &Walk<'_>, data: &Tensor) -> Result<Tensor> {
        let (z, churn) = (&walk.z, self.eta * self.eta);
        if churn == 0.0 {
            return Ok(step.held(z, data));
        }
        let decay = step.decay();
        let kept = step.to.b / step.from.b * decay.powf(churn);
        let gain = step.to.a * (1.0 - decay.powf(1.0 + churn));
        let fresh = step.to.b * (1.0 - decay.powf(2.0 * churn)).max(0.0).sqrt();
        Ok(z * kept + data * gain + walk.noise()? * fresh)
    }
}

impl Solver for Dpmpp {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let mut walk = Walk::new(field, z0, grid, seen)?;
        let mut before: Option<(Tensor, f64)> = None;
        while let Some(step) = walk.step() {
            let (data, length) = (walk.predict(step)?, step.length());
            let last = walk.done() + 1 == walk.steps();
            let line = match &before {
                Some((earlier, gone)) if length.is_finite() && !(last && walk.steps() < FEW) => {
                    &data + (&data - earlier) * (0.5 * length / gone)
                }
                _ => data.shallow_clone(),
            };
            walk.arrive(self.next(step, &walk, &line)?)?;
            before = Some((data, length));
        }
        walk.end()
    }

    fn order(&self) -> Result<usize> {
        Ok(2)
    }

    fn stochastic(&self) -> Result<bool> {
        Ok(self.eta > 0.0)
    }

    fn needs_levels(&self) -> Result<bool> {
        Ok(true)
    }
}

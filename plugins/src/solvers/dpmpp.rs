//! DPM-Solver++ in its multistep form, deterministic and stochastic.

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
        super::check_churn(self.eta)?;
        Ok(Box::new(self.clone()))
    }
}

impl Stepper for Dpmpp {
    type Node = Level;
    /// The predicted data and the step in half log-SNR.
    type Memory = (Tensor, f64);

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>> {
        let (data, length) = (step.predicted()?, step.half_log_snr());
        let line = match step.before {
            Some((earlier, gone)) if length.is_finite() && !(step.last && step.steps < FEW) => {
                &data + (&data - earlier) * (0.5 * length / gone)
            }
            _ => data.shallow_clone(),
        };
        let z = match self.eta * self.eta {
            0.0 => step.held(&line),
            churn => {
                let decay = step.decay();
                let kept = step.to.b / step.from.b * decay.powf(churn);
                let gain = step.to.a * (1.0 - decay.powf(1.0 + churn));
                let fresh = step.to.b * (1.0 - decay.powf(2.0 * churn)).max(0.0).sqrt();
                step.z * kept + line * gain + step.noise()? * fresh
            }
        };
        Ok(Stepped::to(z).remember((data, length)))
    }

    fn order(&self) -> usize {
        2
    }

    fn stochastic(&self) -> bool {
        self.eta > 0.0
    }
}

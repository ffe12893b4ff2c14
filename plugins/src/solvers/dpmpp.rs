use triflow::prelude::*;

triflow::component! {
    /// DPM-Solver++(2M), order 2: multistep in log-SNR over the predicted data.
    ///
    /// A step from s to t takes the data D from the line through the last two predictions. It is
    /// the same on every path. At churn η > 0 it follows the reverse SDE,
    /// z_t = (b_t/b_s)·e^(−η²H)·z_s + a_t·(1 − e^(−(1+η²)H))·D + b_t·√(1 − e^(−2η²H))·ξ with fresh
    /// noise ξ and the step H in ln(a/b). The last of fewer than 15 steps has order 1, as have
    /// steps to or from infinite log-SNR. 1 evaluation a step.
    #[reference = "Lu et al. 2022, arXiv 2211.01095, algorithm 2 and appendix on SDEs"]
    #[aliases("dpm_solver_pp")]
    pub struct Dpmpp: Solver = "dpmpp" {
        /// Churn η of the reverse SDE; 0: the ODE.
        #[range(min = 0)]
        pub eta: f64 = 0.0,
    }
}

/// Number of steps below which the last has order 1, since it would extrapolate too far.
const FEW_STEPS: usize = 15;

impl Spec<dyn Solver> for Dpmpp {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stepper for Dpmpp {
    type Node = Level;
    /// The predicted data, and the step in half log-SNR.
    type Memory = (Tensor, f64);

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped<Self::Memory>> {
        let (data, length) = (step.predicted()?, step.half_log_snr());
        let extrapolated = match step.before {
            Some((earlier, last_length))
                if length.is_finite() && !(step.last && step.steps < FEW_STEPS) =>
            {
                &data + (&data - earlier) * (0.5 * length / last_length)
            }
            _ => data.shallow_clone(),
        };
        let z = match self.eta * self.eta {
            0.0 => step.held(&extrapolated),
            churn => {
                let decay = step.decay();
                let kept = step.to.b / step.from.b * decay.powf(churn);
                let gain = step.to.a * (1.0 - decay.powf(1.0 + churn));
                let fresh = step.to.b * (1.0 - decay.powf(2.0 * churn)).max(0.0).sqrt();
                step.z * kept + extrapolated * gain + step.noise()? * fresh
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

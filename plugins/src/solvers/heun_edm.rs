//! Heun's steps in the noise level, with churn.

use triflow::prelude::*;

triflow::component! {
    /// Heun's steps in the noise level σ = b/a, each after a little fresh noise if wanted.
    ///
    /// In x = z/a the path is straight for constant noise: dx/dσ = noise. Order 2, 2 evaluations a step, 1 in
    /// a step that ends without noise. Churn raises σ by a share min(churn/steps, √2 − 1) before a step that
    /// starts between `churn_from` and `churn_to`, but not above the noise of the start. Karras et al. use the
    /// grid `karras`.
    #[reference = "Karras et al. 2022, arXiv 2206.00364, algorithms 1 and 2"]
    pub struct HeunEdm: Solver, SolverSpec = "heun_edm" {
        /// S_churn, how much noise is renewed over the whole way, at least 0; 0: none.
        pub churn: f64 = 0.0,
        /// S_tmin, the lowest σ at which noise is renewed.
        pub churn_from: f64 = 0.0,
        /// S_tmax, the highest σ at which noise is renewed; null: any.
        pub churn_to: Option<f64> = None,
        /// S_noise, deviation of the fresh noise, above 0; a little more than 1 makes up for detail that the
        /// network smooths away.
        pub noise: f64 = 1.0,
    }
}

impl Spec<dyn Solver> for HeunEdm {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        let wrong = |key: &str, what: &str| Err(Error::config(key, format!("needs {what}")));
        if !(self.churn.is_finite() && self.churn >= 0.0) {
            return wrong("churn", "a number of at least 0");
        }
        if !(self.noise.is_finite() && self.noise > 0.0) {
            return wrong("noise", "a number above 0");
        }
        if self.churn_from.is_nan()
            || self.churn_to.is_some_and(|to| to.is_nan() || to < self.churn_from)
        {
            return wrong("churn_to", "a number that is not below `churn_from`");
        }
        Ok(Box::new(self.clone()))
    }
}

impl HeunEdm {
    /// A noisier start of the step: state, clock and level.
    fn churned(&self, step: &Step<'_, Self>) -> Result<(Tensor, f64, Level)> {
        let sigma = step.from.sigma();
        let share = (self.churn / step.steps as f64).min(std::f64::consts::SQRT_2 - 1.0);
        let within = self.churn_from <= sigma && self.churn_to.is_none_or(|to| sigma <= to);
        let raised = (sigma * (1.0 + share)).min(step.first.sigma());
        // From pure noise there is no way back.
        if !within || !sigma.is_finite() || raised <= sigma {
            return Ok((step.z.shallow_clone(), step.s, step.from));
        }
        let (s, from) = step.at_gamma(-2.0 * raised.ln())?;
        let fresh = (raised.powi(2) - sigma.powi(2)).sqrt() * self.noise * from.a;
        let z = step.z * (from.a / step.from.a) + step.noise()? * fresh;
        Ok((z, s, from))
    }
}

impl Stepper for HeunEdm {
    type Node = Level;
    type Memory = ();

    fn step(&self, step: &Step<'_, Self>) -> Result<Stepped> {
        let ((z, s, from), to) = (self.churned(step)?, step.to);
        let data = step.data(&z, s)?;
        let euler = from.held(to, &z, &data);
        if to.b == 0.0 {
            return Ok(Stepped::to(euler));
        }
        let ahead = step.data(&euler, step.next)?;
        if from.a == 0.0 {
            // From infinite σ, in 1/σ, along which z/b is straight for constant data.
            return Ok(Stepped::to(from.held(to, &z, &((data + ahead) * 0.5))));
        }
        let (before, after) = (from.noise(&z, &data), to.noise(&euler, &ahead));
        let change = (before + after) * (to.a * (to.sigma() - from.sigma()) / 2.0);
        Ok(Stepped::to(z * (to.a / from.a) + change))
    }

    fn order(&self) -> usize {
        2
    }

    fn stochastic(&self) -> bool {
        self.churn > 0.0
    }
}

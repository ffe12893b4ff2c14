use triflow::prelude::*;

triflow::component! {
    /// EDM's sampler, order 2: Heun's steps in the noise level σ = b/a, optionally with churn.
    ///
    /// In x = z/a the path is straight for constant noise: dx/dσ = noise. Churn raises σ by the
    /// share min(churn/steps, √2 − 1) before a step that starts at a σ from `churn_from` to
    /// `churn_to`, but not above the σ at which sampling starts. Karras et al. use the grid
    /// `karras`. 2 evaluations a step, 1 in a step that ends at σ = 0.
    #[reference = "Karras et al. 2022, arXiv 2206.00364, algorithms 1 and 2"]
    pub struct HeunEdm: Solver = "heun_edm" {
        /// Amount of churn over all steps (S_churn); 0: none.
        #[range(min = 0)]
        pub churn: f64 = 0.0,
        /// Lowest σ with churn (S_tmin).
        pub churn_from: f64 = 0.0,
        /// Highest σ with churn (S_tmax); null: no bound.
        pub churn_to: Option<f64> = None,
        /// Standard deviation of the added noise (S_noise); slightly above 1 compensates
        /// for detail that the network smooths away.
        #[range(above = 0)]
        pub noise: f64 = 1.0,
    }
}

impl Spec<dyn Solver> for HeunEdm {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        if self.churn_to.is_some_and(|to| to < self.churn_from) {
            let message = "needs a number that is not below `churn_from`";
            return Err(Error::config("churn_to", message));
        }
        Ok(Box::new(self.clone()))
    }
}

impl HeunEdm {
    /// Start of the step after churn: state, path time and level.
    fn churned(&self, step: &Step<'_, Self>) -> Result<(Tensor, f64, Level)> {
        let sigma = step.from.sigma();
        let share = (self.churn / step.steps as f64).min(std::f64::consts::SQRT_2 - 1.0);
        let within = self.churn_from <= sigma && self.churn_to.is_none_or(|to| sigma <= to);
        let raised = (sigma * (1.0 + share)).min(step.first.sigma());
        // No churn outside its range, at infinite σ, or above the first σ.
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
            // From infinite σ the step is in 1/σ, along which z/b is straight for constant data.
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

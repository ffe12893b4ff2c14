//! A solver: order 2 at one evaluation a step.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// The two-step Adams–Bashforth method: order 2 at one evaluation a step.
    ///
    /// Each step follows the line through the last two derivatives; the first step is Euler's. Steps may
    /// differ in length.
    #[reference = "Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, III.1 and III.5"]
    pub struct AdamsBashforth: Solver, SolverSpec = "adams_bashforth" {}
}

impl Spec<dyn Solver> for AdamsBashforth {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        Ok(Box::new(self.clone()))
    }
}

impl Solver for AdamsBashforth {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let mut z = z0.shallow_clone();
        let mut last: Option<(Tensor, f64)> = None;
        seen.see(grid.start(), &z)?;
        for pair in grid.nodes.windows(2) {
            let (s, h) = (pair[0], pair[1] - pair[0]);
            let now = field.derivative(&z, s)?;
            let mean = match &last {
                Some((before, step)) => &now + (&now - before) * (h / step / 2.0),
                None => now.shallow_clone(),
            };
            z = &z + mean * h;
            last = Some((now, h));
            seen.see(pair[1], &z)?;
        }
        if z.isfinite().all().int64_value(&[]) == 0 {
            return Err(Error::runtime("the state at the end of the grid is not finite"));
        }
        Ok(Solution { z, nfe: grid.nodes.len() - 1, rejected: 0 })
    }

    fn order(&self) -> Result<usize> {
        Ok(2)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::AdamsBashforth::default());
    }
}

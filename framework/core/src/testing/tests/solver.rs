use super::Fault;
use crate::prelude::*;
use tch::Kind as DType;

triflow::component! {
    /// Euler's method, unless it has a fault.
    pub struct Twin: Solver = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Steps {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn Solver> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Solver>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Steps { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl Solver for Steps {
    fn integrate(
        &self,
        field: &dyn Field,
        z0: &Tensor,
        grid: &Grid,
        seen: &mut dyn Observer,
    ) -> Result<Solution> {
        let mut z = z0.shallow_clone();
        if !self.fault.is("observes") {
            seen.see(grid.start(), &z)?;
        }
        let steps = grid.nodes.len() - 1;
        for (i, pair) in grid.nodes.windows(2).enumerate() {
            let slope = match field.derivative(&z, pair[0]) {
                Err(_) if self.fault.is("reports") => z.zeros_like(),
                slope => slope?,
            };
            let mut change = slope * (pair[1] - pair[0]) + self.drift;
            if self.fault.is("too_noisy") {
                change += field.noise(&z)? * 0.05;
            }
            if self.fault.is("rows_alone") {
                change += z.randn_like() * 1e-3;
            }
            if self.fault.is("keeps_start") {
                z += change;
            } else {
                z = &z + change;
            }
            if !(self.fault.is("forgets_the_end") && i + 1 == steps) {
                seen.see(pair[1], &z)?;
            }
        }
        let finite = z.isfinite().all().int64_value(&[]) == 1;
        if !finite && !self.fault.is("swallows_nan") {
            return Err(Error::runtime("the end is not finite"));
        }
        let z = if self.fault.is("shape") { z.to_kind(DType::Float) } else { z };
        Ok(Solution { z, nfe: steps + self.fault.choose("counts_nfe", 1, 0), rejected: 0 })
    }

    fn order(&self) -> Result<usize> {
        Ok(self.fault.choose("order", 2, 1))
    }

    fn stochastic(&self) -> Result<bool> {
        Ok(self.fault.is("too_noisy") || self.fault.is("rows_alone"))
    }
}

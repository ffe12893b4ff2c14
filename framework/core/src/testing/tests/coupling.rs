use super::Fault;
use crate::prelude::*;
use rand::RngExt as _;

triflow::component! {
    /// Pairs rows in random order, unless it has a fault.
    pub struct Twin: Coupling = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Shuffle {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn Coupling> for Twin {
    fn build(&self, _: &CouplingContext) -> Result<Box<dyn Coupling>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Shuffle { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl Coupling for Shuffle {
    fn pair(&self, rows: &Pairing<'_>) -> Result<Vec<usize>> {
        let n = rows.len();
        let mut rng = rows.rng();
        let shift = rng.random_range(0..n) + (self.drift * 1e3) as usize;
        let mut pairs: Vec<usize> = (0..n).map(|i| (i + shift) % n).collect();
        let first = |points: Points<'_>, i: usize| points.row(i)[0];
        let sorted = |points: Points<'_>| {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|a, b| first(points, *a).total_cmp(&first(points, *b)));
            order
        };
        if self.fault.is("rows") {
            pairs.push(0);
        }
        if self.fault.is("beyond") {
            pairs[0] = n;
        }
        if self.fault.is("marginals") {
            pairs[n - 1] = pairs[0];
            pairs[n / 2] = pairs[0];
            pairs = pairs.into_iter().map(|row| row / 2).collect();
        }
        if self.fault.is("nearest_to_zero") {
            let near = (0..n).min_by(|a, b| {
                first(rows.source, *a).abs().total_cmp(&first(rows.source, *b).abs())
            });
            pairs[0] = near.unwrap_or_default();
        }
        if self.fault.is("independent") || self.fault.is("keeps_condition") {
            for (target, source) in sorted(rows.target).into_iter().zip(sorted(rows.source)) {
                pairs[target] = source;
            }
        }
        Ok(pairs)
    }

    fn is_independent(&self) -> Result<bool> {
        Ok(!self.fault.is("keeps_condition"))
    }

    fn keeps_condition(&self) -> Result<bool> {
        Ok(true)
    }
}

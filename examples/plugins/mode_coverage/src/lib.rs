//! A plugin with one component, a metric.

use triflow::metrics::{NearestNeighbours, class_shares};
use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// Share of the data's classes that samples reach: those with at least a given part of their
    /// due share of the samples, by a vote of the nearest training points.
    pub struct ModeCoverage: Metric = "mode_coverage" {
        /// Part of a class's share among training rows that samples must have.
        #[range(above = 0, max = 1)]
        pub part: f64 = 0.5,
        /// Number of neighbours that vote.
        #[range(min = 1)]
        pub k: usize = 5,
    }
}

impl Spec<dyn Metric> for ModeCoverage {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for ModeCoverage {
    fn info(&self) -> Result<MetricInfo> {
        let needs = [Need::Samples, Need::Labels];
        Ok(MetricInfo::new("modes reached", Better::More, &[Goal::Generation], &needs))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let (samples, real) = (input.samples()?, input.labels()?);
        if real.points.len() <= self.k {
            return Ok(None);
        }
        let classifier = NearestNeighbours::new(real.points, real.labels, self.k)?;
        let made = class_shares(&classifier.classify(samples.generated)?, real.shares.len());
        let due = made.iter().zip(real.shares).filter(|(_, due)| **due > 0.0);
        let reached = due.clone().filter(|(made, due)| **made >= self.part * **due).count();
        Ok(Some(reached as f64 / due.count() as f64))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::ModeCoverage::default());
    }
}

use triflow::metrics::Better;
use triflow::prelude::*;

triflow::component! {
    /// Percentage of true values between the quantiles of the central 50 % of random draws.
    pub struct HalfCoverage: Metric = "coverage_50" {}
}

impl Spec<dyn Metric> for HalfCoverage {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for HalfCoverage {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "within 50 % band, %",
            Better::None,
            &[Goal::Regression],
            &[Need::Ensemble],
        )
        .ranked(220))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        super::within_band(input, 0.5)
    }
}

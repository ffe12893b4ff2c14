use triflow::metrics::Better;
use triflow::prelude::*;

triflow::component! {
    /// Percentage of true values between the quantiles of the central 90 % of random draws.
    pub struct BandCoverage: Metric = "coverage_90" {}
}

impl Spec<dyn Metric> for BandCoverage {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for BandCoverage {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "within 90 % band, %",
            Better::None,
            &[Goal::Regression, Goal::Sequences],
            &[Need::Ensemble],
        )
        .ranked(230))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        super::within_band(input, 0.9)
    }
}

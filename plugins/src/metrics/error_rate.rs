use triflow::metrics::error_rate;
use triflow::prelude::*;

triflow::component! {
    /// Share of rows whose predicted class is not their label.
    pub struct ErrorRate: Metric = "error_rate" {}
}

impl Spec<dyn Metric> for ErrorRate {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for ErrorRate {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "error rate",
            Better::Less,
            &[Goal::Classification],
            &[Need::Predictions, Need::Classes],
        )
        .ranked(130))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let (predicted, labels) = (input.predictions()?.predicted, input.classes()?.labels);
        error_rate(predicted, labels).map(Some)
    }
}

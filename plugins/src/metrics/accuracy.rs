use triflow::metrics::accuracy;
use triflow::prelude::*;

triflow::component! {
    /// Share of rows whose predicted class is their label.
    pub struct Accuracy: Metric = "accuracy" {}
}

impl Spec<dyn Metric> for Accuracy {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Accuracy {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "accuracy",
            Better::More,
            &[Goal::Classification],
            &[Need::Predictions, Need::Classes],
        )
        .ranked(140))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let (predicted, labels) = (input.predictions()?.predicted, input.classes()?.labels);
        accuracy(predicted, labels).map(Some)
    }
}

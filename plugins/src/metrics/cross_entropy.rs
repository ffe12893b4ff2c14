use triflow::metrics::cross_entropy;
use triflow::prelude::*;

triflow::component! {
    /// Mean of −ln of the true class's probability, in nats.
    pub struct CrossEntropy: Metric = "cross_entropy" {}
}

impl Spec<dyn Metric> for CrossEntropy {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for CrossEntropy {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "cross-entropy",
            Better::Less,
            &[Goal::Classification],
            &[Need::Classes],
        )
        .ranked(150))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let Classes { logits, labels } = input.classes()?;
        cross_entropy(logits, labels).map(Some)
    }
}

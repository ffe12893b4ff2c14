use triflow::metrics::variance_explained;
use triflow::prelude::*;

triflow::component! {
    /// 100 R², mean over the features.
    pub struct VarianceExplained: Metric = "variance_explained_percent" {}
}

impl Spec<dyn Metric> for VarianceExplained {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for VarianceExplained {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_predictions("variance explained, %", Better::More).ranked(190))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let Predictions { truth, predicted } = input.predictions()?;
        if truth.len() < 2 {
            return Ok(None);
        }
        Ok(variance_explained(truth, predicted)?.uniform_average)
    }
}

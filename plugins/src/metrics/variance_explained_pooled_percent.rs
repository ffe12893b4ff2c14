use triflow::metrics::variance_explained;
use triflow::prelude::*;

triflow::component! {
    /// 100 R² of errors and variances summed over all features.
    pub struct VarianceExplainedPooled: Metric = "variance_explained_pooled_percent" {}
}

impl Spec<dyn Metric> for VarianceExplainedPooled {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for VarianceExplainedPooled {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_predictions("variance explained, pooled, %", Better::More).ranked(200))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let Predictions { truth, predicted } = input.predictions()?;
        if truth.len() < 2 {
            return Ok(None);
        }
        Ok(variance_explained(truth, predicted)?.pooled)
    }
}

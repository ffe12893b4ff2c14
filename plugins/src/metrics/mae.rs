use triflow::metrics::mae;
use triflow::prelude::*;

triflow::component! {
    /// Mean absolute error over all rows and features.
    pub struct Mae: Metric = "mae" {}
}

impl Spec<dyn Metric> for Mae {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Mae {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_predictions("MAE", Better::Less).ranked(180))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let Predictions { truth, predicted } = input.predictions()?;
        mae(truth, predicted).map(Some)
    }
}

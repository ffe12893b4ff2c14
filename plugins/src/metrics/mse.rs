use triflow::metrics::mse;
use triflow::prelude::*;

triflow::component! {
    /// Mean squared error over all rows and features; of labels, over one-hot rows.
    pub struct Mse: Metric = "mse" {}
}

impl Spec<dyn Metric> for Mse {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Mse {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "MSE",
            Better::Less,
            &[Goal::Classification, Goal::Regression, Goal::Sequences],
            &[Need::Predictions],
        )
        .ranked(170))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let Predictions { truth, predicted } = input.predictions()?;
        mse(truth, predicted).map(Some)
    }
}

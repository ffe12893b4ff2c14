use triflow::metrics::mean;
use triflow::prelude::*;

triflow::component! {
    /// Variational bound on the negative log-likelihood of held-out rows, in nats a row.
    pub struct NllBound: Metric = "nll_bound" {}
}

impl Spec<dyn Metric> for NllBound {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for NllBound {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "NLL bound, nats",
            Better::Less,
            &[Goal::Generation, Goal::Regression, Goal::Sequences],
            &[Need::Bound],
        )
        .ranked(250))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        Ok(Some(mean(input.bound()?)))
    }
}

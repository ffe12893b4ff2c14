use triflow::metrics::mean;
use triflow::prelude::*;

triflow::component! {
    /// Negative log-likelihood of held-out rows by the change of variables along the ODE, in nats a
    /// row.
    pub struct Nll: Metric = "nll" {}
}

impl Spec<dyn Metric> for Nll {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Nll {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "NLL, nats",
            Better::Less,
            &[Goal::Generation, Goal::Regression, Goal::Sequences],
            &[Need::Likelihood],
        )
        .ranked(240))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        Ok(Some(mean(input.likelihood()?)))
    }
}

use triflow::metrics::wasserstein2;
use triflow::prelude::*;

triflow::component! {
    /// Exact 2-Wasserstein distance between equal numbers of generated and held-out points.
    pub struct W2: Metric = "w2" {}
}

impl Spec<dyn Metric> for W2 {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for W2 {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("W2", Better::Less).ranked(10))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let at = input.samples()?;
        wasserstein2(at.generated, at.held_out.points()).map(Some)
    }
}

use triflow::metrics::sliced_wasserstein2_drawn;
use triflow::prelude::*;

triflow::component! {
    /// 2-Wasserstein distance of projections onto 256 random directions, root mean square over
    /// them.
    pub struct SlicedW2: Metric = "sliced_w2" {
        /// Number of directions.
        #[range(min = 1)]
        pub directions: usize = 256,
    }
}

impl Spec<dyn Metric> for SlicedW2 {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for SlicedW2 {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("sliced W2", Better::Less).ranked(20))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let at = input.samples()?;
        let (x, y) = (at.generated, at.held_out.points());
        sliced_wasserstein2_drawn(x, y, self.directions, input.seed).map(Some)
    }

    fn record(&self, seed: u64) -> Result<Option<(String, String)>> {
        let directions = format!("{{\"n\": {}, \"seed\": {seed}}}", self.directions);
        Ok(Some(("sliced_directions".to_owned(), directions)))
    }
}

use triflow::metrics::PRECISION_K;
use triflow::prelude::*;

triflow::component! {
    /// Share of generated points that lie within the third-neighbour distance of a held-out point.
    #[reference = "Kynkäänniemi et al. 2019, arXiv 1904.06991"]
    pub struct Precision: Metric = "precision" {
        /// Number k of the neighbour that the radius of a ball reaches.
        #[range(min = 1)]
        pub k: usize = PRECISION_K,
    }
}

impl Spec<dyn Metric> for Precision {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Precision {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("precision", Better::More).ranked(50))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        Ok(input.samples()?.precision_recall(self.k)?.map(|found| found.precision))
    }
}

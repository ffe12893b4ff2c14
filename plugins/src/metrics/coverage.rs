use triflow::metrics::DENSITY_K;
use triflow::prelude::*;

triflow::component! {
    /// Share of held-out points with a generated point within their fifth-neighbour distance.
    #[reference = "Naeem et al. 2020, arXiv 2002.09797"]
    pub struct Coverage: Metric = "coverage" {
        /// Number k of the neighbour that the radius of a ball reaches.
        #[range(min = 1)]
        pub k: usize = DENSITY_K,
    }
}

impl Spec<dyn Metric> for Coverage {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Coverage {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("coverage", Better::More).ranked(80))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        Ok(input.samples()?.density_coverage(self.k)?.map(|found| found.coverage))
    }
}

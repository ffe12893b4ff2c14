use triflow::metrics::DENSITY_K;
use triflow::prelude::*;

triflow::component! {
    /// Mean number of held-out points within whose fifth-neighbour distance a generated point lies,
    /// divided by 5: 1 for equal distributions, more if samples crowd where the data are densest.
    #[reference = "Naeem et al. 2020, arXiv 2002.09797"]
    pub struct Density: Metric = "density" {
        /// Number k of the neighbour that the radius of a ball reaches.
        #[range(min = 1)]
        pub k: usize = DENSITY_K,
    }
}

impl Spec<dyn Metric> for Density {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Density {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("density", Better::None).ranked(70))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        Ok(input.samples()?.density_coverage(self.k)?.map(|found| found.density))
    }
}

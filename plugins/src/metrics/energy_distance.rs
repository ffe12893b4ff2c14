use triflow::metrics::energy_distance;
use triflow::prelude::*;

triflow::component! {
    /// 2E|X − Y| − E|X − X′| − E|Y − Y′| over all pairs of generated and held-out points, without a
    /// root.
    pub struct EnergyDistance: Metric = "energy_distance" {}
}

impl Spec<dyn Metric> for EnergyDistance {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for EnergyDistance {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("energy distance", Better::Less).ranked(30))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let at = input.samples()?;
        let (x, y) = (at.generated, at.held_out.points());
        let pairs = x.len() > 1 && y.len() > 1;
        pairs.then(|| Ok(energy_distance(x, y)?.v)).transpose()
    }
}

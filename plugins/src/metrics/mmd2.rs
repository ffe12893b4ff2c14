use triflow::metrics::{PAIR_POINTS, mmd2};
use triflow::prelude::*;

triflow::component! {
    /// Squared maximum mean discrepancy over all pairs, with a Gaussian kernel whose bandwidth is
    /// the median distance of held-out points.
    pub struct Mmd2: Metric = "mmd2" {}
}

impl Spec<dyn Metric> for Mmd2 {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Mmd2 {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::of_samples("MMD²", Better::Less).ranked(40))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let at = input.samples()?;
        let Some(bandwidth) = at.held_out.median_distance() else { return Ok(None) };
        let generated = at.generated.first(PAIR_POINTS);
        if generated.len() < 2 {
            return Ok(None);
        }
        Ok(Some(mmd2(generated, at.held_out.some(), &[bandwidth])?.v))
    }
}

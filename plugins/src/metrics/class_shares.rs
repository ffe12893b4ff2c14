use triflow::metrics::{NearestNeighbours, REFEREE_K, class_shares};
use triflow::prelude::*;

triflow::component! {
    /// Half the sum over the classes of |share of generated points − share of training rows|, for
    /// models without a condition, by a vote of the five nearest training points: the error of the
    /// modes' weights.
    pub struct ClassShares: Metric = "class_shares" {
        /// Number of neighbours that vote.
        #[range(min = 1)]
        pub k: usize = REFEREE_K,
    }
}

impl Spec<dyn Metric> for ClassShares {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for ClassShares {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "class shares",
            Better::Less,
            &[Goal::Generation],
            &[Need::Samples, Need::Labels],
        )
        .ranked(100))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let (generated, real) = (input.samples()?.generated, input.labels()?);
        if real.requested.is_some() || real.points.len() <= self.k {
            return Ok(None);
        }
        let classifier = NearestNeighbours::new(real.points, real.labels, self.k)?;
        let generated = class_shares(&classifier.classify(generated)?, real.shares.len());
        let errors = generated.iter().zip(real.shares).map(|(a, b)| (a - b).abs());
        Ok(Some(errors.sum::<f64>() / 2.0))
    }
}

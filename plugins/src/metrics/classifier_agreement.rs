use triflow::metrics::{NearestNeighbours, REFEREE_K};
use triflow::prelude::*;

triflow::component! {
    /// Share of generated points whose label by a vote of the five nearest training points is the
    /// condition they were generated under; as floor, of held-out points.
    pub struct ClassifierAgreement: Metric = "classifier_agreement" {
        /// Number of neighbours that vote.
        #[range(min = 1)]
        pub k: usize = REFEREE_K,
    }
}

impl Spec<dyn Metric> for ClassifierAgreement {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for ClassifierAgreement {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "classifier agreement",
            Better::More,
            &[Goal::Generation],
            &[Need::Samples, Need::Labels],
        )
        .ranked(90))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let (generated, real) = (input.samples()?.generated, input.labels()?);
        let Some(requested) = real.requested else { return Ok(None) };
        if real.points.len() <= self.k {
            return Ok(None);
        }
        let classifier = NearestNeighbours::new(real.points, real.labels, self.k)?;
        match real.themselves {
            true => classifier.agreement_without_self().map(Some),
            false => classifier.agreement(generated, requested).map(Some),
        }
    }
}

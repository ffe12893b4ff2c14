use triflow::metrics::crps;
use triflow::prelude::*;

triflow::component! {
    /// Continuous ranked probability score of several random draws a row, fair estimate, mean over
    /// all rows and features.
    #[reference = "Gneiting & Raftery 2007, doi 10.1198/016214506000001437; Ferro 2014, doi 10.1002/qj.2270"]
    pub struct CrpsScore: Metric = "crps" {}
}

impl Spec<dyn Metric> for CrpsScore {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for CrpsScore {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new(
            "CRPS",
            Better::Less,
            &[Goal::Regression, Goal::Sequences],
            &[Need::Draws],
        )
        .ranked(210))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let RandomDraws { truth, draws } = input.draws()?;
        if draws.len() < 2 {
            return Ok(None);
        }
        Ok(Some(crps(truth, draws)?.fair))
    }
}

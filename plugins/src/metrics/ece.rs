use triflow::metrics::{CALIBRATION_BINS, expected_calibration_error};
use triflow::prelude::*;

triflow::component! {
    /// Expected calibration error: mean difference between the highest probability and the share of
    /// correct predictions, in 15 bins of that probability.
    #[reference = "Guo et al. 2017, arXiv 1706.04599"]
    pub struct Ece: Metric = "ece" {
        /// Number of equal bins of the highest probability.
        #[range(min = 1)]
        pub bins: usize = CALIBRATION_BINS,
    }
}

impl Spec<dyn Metric> for Ece {
    fn build(&self, _: &MetricContext) -> Result<Box<dyn Metric>> {
        Ok(Box::new(self.clone()))
    }
}

impl Metric for Ece {
    fn info(&self) -> Result<MetricInfo> {
        Ok(MetricInfo::new("ECE", Better::Less, &[Goal::Classification], &[Need::Classes])
            .ranked(160))
    }

    fn measure(&self, input: &MetricInput<'_>) -> Result<Option<f64>> {
        let Classes { logits, labels } = input.classes()?;
        expected_calibration_error(logits, labels, self.bins).map(Some)
    }
}

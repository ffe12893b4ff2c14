use super::warmup::{progress, rise};
use triflow::prelude::*;

triflow::component! {
    /// Fall in a straight line, from 1 after the warm-up to `floor` at the end of training.
    ///
    /// 1 − (1 − floor)·s, where s is the share of the steps after the warm-up that are over.
    #[reference = "Devlin et al. 2018, arXiv 1810.04805, appendix A.2"]
    pub struct Linear: LrSchedule = "linear" {
        /// Steps of linear rise from 0.
        pub warmup: u64 = 0,
        /// Factor at the end.
        #[range(min = 0, max = 1)]
        pub floor: f64 = 0.0,
    }
}

impl Spec<dyn LrSchedule> for Linear {
    fn build(&self, (): &()) -> Result<Box<dyn LrSchedule>> {
        Ok(Box::new(self.clone()))
    }
}

impl LrSchedule for Linear {
    fn factor(&self, step: u64, total: u64) -> Result<f64> {
        let left = 1.0 - progress(step, self.warmup, total);
        Ok(rise(step, self.warmup) * (self.floor + (1.0 - self.floor) * left))
    }
}

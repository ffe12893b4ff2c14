use super::warmup::{progress, rise};
use triflow::prelude::*;

triflow::component! {
    /// Fall along half a cosine, from 1 after the warm-up to `floor` at the end of training.
    ///
    /// floor + (1 − floor)·(1 + cos(πs))/2, where s is the share of the steps after the warm-up
    /// that are over.
    #[reference = "Loshchilov and Hutter 2016, arXiv 1608.03983, eq. 5, without restarts"]
    pub struct Cosine: LrSchedule = "cosine" {
        /// Steps of linear rise from 0.
        pub warmup: u64 = 0,
        /// Factor at the end.
        #[range(min = 0, max = 1)]
        pub floor: f64 = 0.0,
    }
}

impl Spec<dyn LrSchedule> for Cosine {
    fn build(&self, (): &()) -> Result<Box<dyn LrSchedule>> {
        Ok(Box::new(self.clone()))
    }
}

impl LrSchedule for Cosine {
    fn factor(&self, step: u64, total: u64) -> Result<f64> {
        let share = progress(step, self.warmup, total);
        let half = 0.5 * (1.0 + (std::f64::consts::PI * share).cos());
        Ok(rise(step, self.warmup) * (self.floor + (1.0 - self.floor) * half))
    }
}

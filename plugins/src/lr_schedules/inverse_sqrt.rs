use super::warmup::rise;
use triflow::prelude::*;

triflow::component! {
    /// Fall with the inverse square root of the step after the warm-up, whatever the length of
    /// training.
    ///
    /// √(warmup/n) at the n-th step, counted from 1, after the warm-up, at whose end it is 1;
    /// √(1/n) without one. The number of planned steps does not matter, so that training can go on
    /// for as long as it pays.
    #[reference = "Vaswani et al. 2017, arXiv 1706.03762, eq. 3"]
    pub struct InverseSqrt: LrSchedule = "inverse_sqrt" {
        /// Steps of linear rise from 0. More of them also make the fall slower.
        pub warmup: u64 = 100,
    }
}

impl Spec<dyn LrSchedule> for InverseSqrt {
    fn build(&self, (): &()) -> Result<Box<dyn LrSchedule>> {
        Ok(Box::new(self.clone()))
    }
}

impl LrSchedule for InverseSqrt {
    fn factor(&self, step: u64, _: u64) -> Result<f64> {
        let warmup = self.warmup.max(1);
        let n = step.saturating_add(1).max(warmup);
        Ok(rise(step, self.warmup) * (warmup as f64 / n as f64).sqrt())
    }
}

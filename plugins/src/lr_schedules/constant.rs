use super::warmup::rise;
use triflow::prelude::*;

triflow::component! {
    /// Constant after the warm-up.
    pub struct Constant: LrSchedule = "constant" {
        /// Steps of linear rise from 0.
        pub warmup: u64 = 0,
    }
}

impl Spec<dyn LrSchedule> for Constant {
    fn build(&self, (): &()) -> Result<Box<dyn LrSchedule>> {
        Ok(Box::new(self.clone()))
    }
}

impl LrSchedule for Constant {
    fn factor(&self, step: u64, _: u64) -> Result<f64> {
        Ok(rise(step, self.warmup))
    }
}

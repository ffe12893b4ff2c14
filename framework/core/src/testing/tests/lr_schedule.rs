use super::Fault;
use crate::prelude::*;
use std::cell::Cell;

triflow::component! {
    /// The learning rate falls in a straight line, unless it has a fault.
    pub struct Twin: LrSchedule = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Line {
    fault: Fault,
    calls: Cell<u64>,
}

impl Spec<dyn LrSchedule> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn LrSchedule>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Line { fault: self.fault.clone(), calls: Cell::new(0) }))
    }
}

impl LrSchedule for Line {
    fn factor(&self, step: u64, total: u64) -> Result<f64> {
        self.calls.set(self.calls.get() + 1);
        let left = total.saturating_sub(step) as f64;
        Ok(match () {
            // Negative in the second half.
            () if self.fault.is("finite") => 2.0 * left / total.max(1) as f64 - 1.0,
            // NaN at step 0 of 0.
            () if self.fault.is("beyond") => left / total as f64,
            () if self.fault.is("negative_beyond") => 1.0 - step as f64 / total.max(1) as f64,
            () if self.fault.is("trains") => 0.0,
            () if self.fault.is("same_arguments") => 1.0 / self.calls.get() as f64,
            () => left / total.max(1) as f64,
        })
    }
}

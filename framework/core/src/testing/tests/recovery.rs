use super::Fault;
use crate::prelude::*;
use std::cell::Cell;

triflow::component! {
    /// Three returns with half the learning rate, unless it has a fault.
    pub struct Twin: Recovery = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Thrice {
    fault: Fault,
    calls: Cell<usize>,
}

impl Spec<dyn Recovery> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Recovery>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Thrice { fault: self.fault.clone(), calls: Cell::new(0) }))
    }
}

impl Recovery for Thrice {
    fn factor(&self, before: &[Restore]) -> Result<Option<f64>> {
        self.calls.set(self.calls.get() + 1);
        let more = match () {
            () if self.fault.is("ends") => true,
            // Counts its own calls instead of the returns.
            () if self.fault.is("same_history") => self.calls.get() < 3,
            () if self.fault.is("ends_at_once") => self.calls.get() > 4 && before.len() < 3,
            () => before.len() < 3,
        };
        Ok(more.then_some(if self.fault.is("factor") { 0.0 } else { 0.5 }))
    }
}

use super::Fault;
use crate::prelude::*;
use std::cell::Cell;

triflow::component! {
    /// Training ends after 20 epochs, unless it has a fault.
    pub struct Twin: Stopping = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct AfterTwenty {
    fault: Fault,
    calls: Cell<usize>,
}

impl Spec<dyn Stopping> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Stopping>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(AfterTwenty { fault: self.fault.clone(), calls: Cell::new(0) }))
    }
}

impl Stopping for AfterTwenty {
    fn stop(&self, epochs: &[Epoch]) -> Result<Option<String>> {
        self.calls.set(self.calls.get() + 1);
        let last = epochs.last().and_then(|epoch| epoch.val_term(LossTerm::Total));
        let ends = match () {
            () if self.fault.is("empty") => epochs.is_empty() || epochs.len() >= 20,
            // Counts its own calls instead of the epochs.
            () if self.fault.is("same_history") => !epochs.is_empty() && self.calls.get() >= 20,
            () if self.fault.is("validates") => last.is_some_and(|loss| loss > 20.0),
            () if self.fault.is("needs_a_loss") && !epochs.is_empty() => {
                last.ok_or_else(|| Error::runtime("there is no loss"))? > 20.0
            }
            () => epochs.len() >= 20,
        };
        let reason = if self.fault.is("answers") { "two\nlines" } else { "20 epochs are over" };
        Ok(ends.then(|| reason.to_owned()))
    }
}

//! A stopping rule: training ends before its planned number of steps.

use triflow::prelude::*;

triflow::component! {
    /// End of training once the loss on the validation rows is as low as wanted.
    pub struct MyComponent: Stopping = "my_component" {
        /// Loss at or below which training ends.
        pub loss: f64 = 0.0,
    }
}

impl Spec<dyn Stopping> for MyComponent {
    /// Builds what runs: here the spec itself.
    fn build(&self, (): &()) -> Result<Box<dyn Stopping>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stopping for MyComponent {
    /// Depends on the epochs alone.
    fn stop(&self, epochs: &[Epoch]) -> Result<Option<String>> {
        let last = epochs.last().and_then(|epoch| epoch.val_term(LossTerm::Total));
        let low = last.is_some_and(|loss| loss <= self.loss);
        Ok(low.then(|| format!("`total` on the validation rows is at most {}", self.loss)))
    }

    fn validates(&self) -> Result<Option<LossTerm>> {
        Ok(Some(LossTerm::Total))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::MyComponent::default());
    }
}

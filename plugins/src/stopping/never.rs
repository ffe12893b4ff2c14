use triflow::prelude::*;

triflow::component! {
    /// Training takes all of its planned steps.
    pub struct Never: Stopping = "never" {}
}

impl Spec<dyn Stopping> for Never {
    fn build(&self, (): &()) -> Result<Box<dyn Stopping>> {
        Ok(Box::new(self.clone()))
    }
}

impl Stopping for Never {
    fn stop(&self, _: &[Epoch]) -> Result<Option<String>> {
        Ok(None)
    }
}

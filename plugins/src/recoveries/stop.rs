use triflow::prelude::*;

triflow::component! {
    /// The training ends with an error.
    pub struct Stop: Recovery = "stop" {}
}

impl Spec<dyn Recovery> for Stop {
    fn build(&self, (): &()) -> Result<Box<dyn Recovery>> {
        Ok(Box::new(self.clone()))
    }
}

impl Recovery for Stop {
    fn factor(&self, _: &[Restore]) -> Result<Option<f64>> {
        Ok(None)
    }
}

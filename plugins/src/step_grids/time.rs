use triflow::prelude::*;

triflow::component! {
    /// Equal steps in time t.
    pub struct Time: StepGrid = "time" {}
}

impl Spec<dyn StepGrid> for Time {
    fn build(&self, (): &()) -> Result<Box<dyn StepGrid>> {
        Ok(Box::new(Clock::Time))
    }
}

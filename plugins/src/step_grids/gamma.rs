use triflow::prelude::*;

triflow::component! {
    /// Equal steps in log-SNR γ.
    pub struct Gamma: StepGrid = "gamma" {}
}

impl Spec<dyn StepGrid> for Gamma {
    fn build(&self, (): &()) -> Result<Box<dyn StepGrid>> {
        Ok(Box::new(Clock::Gamma))
    }
}

use triflow::prelude::*;

triflow::component! {
    /// Weight 1 at all times, of the error of the output as it is.
    pub struct None: LossWeighting = "none" {}
}

impl Spec<dyn LossWeighting> for None {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for None {
    fn weight(&self, _: &PathPoint<'_>) -> Result<Weight> {
        Ok(Weight::One)
    }
}

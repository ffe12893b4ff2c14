use triflow::prelude::*;

triflow::component! {
    /// v-prediction: the network predicts v = a·noise − b·data.
    ///
    /// On the variance-preserving path v is the derivative of z by the angle between data and
    /// noise. It has the same variance at every time, and neither end is singular.
    #[reference = "Salimans & Ho 2022, arXiv 2202.00512, appendix D"]
    pub struct V: Objective = "v" {}
}

impl Spec<dyn Objective> for V {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for V {
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        Ok((-&point.b, point.a.shallow_clone()))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

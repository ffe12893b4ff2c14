use triflow::prelude::*;

triflow::component! {
    /// The predicted data as they are.
    pub struct NoProjection: Projection = "none" {}
}

impl Spec<dyn Projection> for NoProjection {
    fn build(&self, (): &()) -> Result<Box<dyn Projection>> {
        Ok(Box::new(self.clone()))
    }
}

impl Projection for NoProjection {
    fn project(&self, data: &Tensor) -> Result<Tensor> {
        Ok(data.shallow_clone())
    }
}

use triflow::prelude::*;

triflow::component! {
    /// Flow matching: the network predicts the velocity dz/dt of straight lines from noise to data.
    ///
    /// Output = data − noise, on the rectified path.
    #[reference = "Lipman et al. 2022, arXiv 2210.02747; Liu et al. 2022, arXiv 2209.03003"]
    pub struct FlowMatching: Objective = "flow_matching" {}
}

impl Spec<dyn Objective> for FlowMatching {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for FlowMatching {
    fn mix(&self, _: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        Ok((Tensor::from(1.0), Tensor::from(-1.0)))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("rectified")
    }
}

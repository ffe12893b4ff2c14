//! An objective: the network predicts v.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// The network predicts v = a·noise − b·data, the velocity along the angle between data and noise.
    ///
    /// On the variance-preserving path v has the same size at every time, so that neither end is
    /// singular: the data is read off without dividing by the noise level.
    #[reference = "Salimans & Ho 2022, arXiv 2202.00512, appendix D"]
    pub struct VPrediction: Objective, ObjectiveSpec = "v_prediction" {}
}

impl Spec<dyn Objective> for VPrediction {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for VPrediction {
    fn mix(&self, point: &PathPoint) -> Result<(Tensor, Tensor)> {
        Ok((-&point.b, point.a.shallow_clone()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::VPrediction::default());
    }
}

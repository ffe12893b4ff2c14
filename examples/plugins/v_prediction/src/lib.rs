//! A plugin with one component, an objective.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// v-prediction: the network predicts v = a·noise − b·data.
    ///
    /// On the variance-preserving path v is the derivative of z by the angle between data and
    /// noise. It has the same variance at every time, and the data follow from it without dividing
    /// by the noise level, so that neither end is singular.
    #[reference = "Salimans & Ho 2022, arXiv 2202.00512, appendix D"]
    pub struct VPrediction: Objective = "v_prediction" {}
}

impl Spec<dyn Objective> for VPrediction {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        Ok(Box::new(self.clone()))
    }
}

impl Objective for VPrediction {
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        Ok((-&point.b, point.a.shallow_clone()))
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::VPrediction::default());
    }
}

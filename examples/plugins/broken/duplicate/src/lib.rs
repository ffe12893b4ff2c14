//! A schedule under the name of a built-in one, and one under a name of its own that is not added either.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// Not the cosine schedule that everybody knows.
    pub struct Cosine: NoiseSchedule, NoiseScheduleSpec = "cosine" {}
}

impl Spec<dyn NoiseSchedule> for Cosine {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        Ok(Box::new(self.clone()))
    }
}

impl NoiseSchedule for Cosine {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok(t * 10.0 - 5.0)
    }
}

triflow::component! {
    /// The same under a name of its own.
    pub struct ConstantSlope: NoiseSchedule, NoiseScheduleSpec = "constant_slope" {}
}

impl Spec<dyn NoiseSchedule> for ConstantSlope {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        Ok(Box::new(Cosine {}))
    }
}

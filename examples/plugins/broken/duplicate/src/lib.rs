//! A plugin that is refused: one of its two schedules has the name of a built-in one.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// A linear log-SNR under the name of the built-in cosine schedule.
    pub struct Cosine: NoiseSchedule = "cosine" {}
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
    /// A linear log-SNR under a new name, which is not registered either.
    pub struct ConstantSlope: NoiseSchedule = "constant_slope" {}
}

impl Spec<dyn NoiseSchedule> for ConstantSlope {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        Ok(Box::new(Cosine {}))
    }
}

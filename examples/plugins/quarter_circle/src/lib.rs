//! A plugin with one component, a path.

use triflow::prelude::*;

triflow::plugin!();

triflow::component! {
    /// A quarter of a circle, passed at constant speed: data and noise keep their total variance.
    ///
    /// a = sin(πt/2), b = cos(πt/2). It is a path of unit variance that needs no noise schedule.
    #[reference = "Albergo & Vanden-Eijnden 2023, arXiv 2209.15571"]
    pub struct QuarterCircle: GaussianPath = "quarter_circle" {}
}

impl Spec<dyn GaussianPath> for QuarterCircle {
    fn build(&self, _: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(self.clone()))
    }
}

impl GaussianPath for QuarterCircle {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        let angle = t * std::f64::consts::FRAC_PI_2;
        // sin of the other angle is exactly 0 at t = 1.
        Ok(Coefficients::new(angle.sin(), (-angle + std::f64::consts::FRAC_PI_2).sin()))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        Ok((gamma * 0.5).exp().atan() / std::f64::consts::FRAC_PI_2)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        triflow::testing::conforms(super::QuarterCircle::default());
    }
}

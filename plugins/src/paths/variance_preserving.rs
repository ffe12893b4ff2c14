use super::scheduled::{Form, Scheduled};
use triflow::prelude::*;

triflow::component! {
    /// Data and noise of constant total variance, mixed by the noise schedule: the path of
    /// diffusion.
    ///
    /// a² = alpha_bar = σ(γ), b² = 1 − alpha_bar = σ(−γ), with the log-SNR γ of `noise_schedule`.
    #[reference = "Ho et al. 2020, arXiv 2006.11239; Song et al. 2021, arXiv 2011.13456"]
    pub struct VariancePreserving: GaussianPath = "variance_preserving" {}
}

impl Spec<dyn GaussianPath> for VariancePreserving {
    fn build(&self, ctx: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(Scheduled::new(self.clone(), ctx)?))
    }
}

impl Form for VariancePreserving {
    fn at(&self, gamma: &Tensor) -> Coefficients {
        Coefficients::unit_variance(gamma.shallow_clone())
    }

    fn rates(&self, point: &PathPoint<'_>) -> (Tensor, Tensor) {
        let a = &point.a * point.b.square() * 0.5;
        let b = &point.b * point.a.square() * -0.5;
        (a, b)
    }
}

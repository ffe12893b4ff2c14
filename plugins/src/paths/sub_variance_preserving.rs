use super::scheduled::{Form, Scheduled};
use triflow::prelude::*;

triflow::component! {
    /// The data of `variance_preserving` under less noise.
    ///
    /// a = √alpha_bar, b = 1 − alpha_bar, with alpha_bar = σ(γ) of `noise_schedule`; the path's own
    /// log-SNR is ln alpha_bar − 2 ln(1 − alpha_bar).
    #[reference = "Song et al. 2021, arXiv 2011.13456, section 3.4"]
    pub struct SubVariancePreserving: GaussianPath = "sub_variance_preserving" {}
}

impl Spec<dyn GaussianPath> for SubVariancePreserving {
    fn build(&self, ctx: &PathContext) -> Result<Box<dyn GaussianPath>> {
        Ok(Box::new(Scheduled::new(self.clone(), ctx)?))
    }
}

/// Share of the path's dγ in the schedule's: 1 + alpha_bar.
fn share(point: &PathPoint<'_>) -> Tensor {
    point.a.square() + 1.0
}

impl Form for SubVariancePreserving {
    fn at(&self, gamma: &Tensor) -> Coefficients {
        let (log_alpha_bar, log_rest) = (gamma.log_sigmoid(), gamma.neg().log_sigmoid());
        let gamma = &log_alpha_bar - &log_rest * 2.0;
        Coefficients { a: (log_alpha_bar * 0.5).exp(), b: log_rest.exp(), gamma: Some(gamma) }
    }

    fn rates(&self, point: &PathPoint<'_>) -> (Tensor, Tensor) {
        // By the schedule's γ: da = a(1 − alpha_bar)/2, db = −(1 − alpha_bar)·alpha_bar.
        let a = &point.a * &point.b * 0.5 / share(point);
        let b = &point.b * point.a.square().neg() / share(point);
        (a, b)
    }

    /// With S = SNR of the path, alpha_bar = (u − 1)/(u + 1) for u = √(1 + 4S).
    fn of_schedule(&self, gamma: &Tensor) -> Tensor {
        let u = (gamma.exp() * 4.0 + 1.0).sqrt();
        gamma + 2f64.ln() - u.log1p()
    }

    fn stretch(&self, point: &PathPoint<'_>) -> Option<Tensor> {
        Some(share(point))
    }
}

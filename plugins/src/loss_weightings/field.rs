use triflow::prelude::*;

triflow::component! {
    /// By how far an error moves the sample: bounded.
    ///
    /// The error of dz/dγ, integrated over γ; on a path of unbounded log-SNR, such as the rectified
    /// one, the error of dz/dt, integrated over t.
    pub struct Field: LossWeighting = "field" {}
}

impl Spec<dyn LossWeighting> for Field {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        Ok(Box::new(self.clone()))
    }
}

impl LossWeighting for Field {
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        if point.bounded() {
            return Ok(Weight::Data(point.gamma_prime()? * point.a.square() * 0.25));
        }
        Ok(Weight::Velocity(point.t.ones_like()))
    }
}

use super::Fault;
use crate::prelude::*;
use tch::Kind as DType;

triflow::component! {
    /// The variational bound, unless it has a fault.
    pub struct Twin: LossWeighting = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Bound {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn LossWeighting> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn LossWeighting>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Bound { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl LossWeighting for Bound {
    fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
        let bound = point.gamma_prime()? * (1.0 + self.drift);
        let of_velocity = &point.a / &point.b * 2.0;
        Ok(match () {
            () if self.fault.is("shape") => Weight::Noise(bound.unsqueeze(1)),
            () if self.fault.is("float32_alone") => Weight::Noise(bound.to_kind(DType::Float)),
            () if self.fault.is("finite") => Weight::Noise(bound / (&point.t - 1.0)),
            () if self.fault.is("negative") => Weight::Data(-bound),
            () if self.fault.is("rows_independent") => Weight::Data(bound / point.t.mean(None)),
            () if self.fault.is("variational_bound") => Weight::Data(bound),
            () if self.fault.is("half_the_bound") => Weight::Noise(bound * 0.5),
            () if point.bounded() || self.fault.is("ends") => Weight::Noise(bound),
            () => Weight::Velocity(of_velocity * (1.0 + self.drift)),
        })
    }

    fn is_variational_bound(&self) -> Result<bool> {
        Ok(true)
    }
}

use super::Fault;
use crate::prelude::*;
use tch::Kind as DType;

triflow::component! {
    /// A pull towards the origin, unless it has a fault.
    pub struct Twin: Guidance = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Pull {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn Guidance> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Guidance>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Pull { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl Guidance for Pull {
    fn force(&self, at: &GuidanceInput<'_>) -> Result<Tensor> {
        let force = at.z.neg() + self.drift;
        Ok(match () {
            () if self.fault.is("shape") => force.to_kind(DType::Float),
            () if self.fault.is("rows") => &force - force.mean(None),
            () => force,
        })
    }
}

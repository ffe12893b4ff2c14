use super::Fault;
use crate::prelude::*;
use tch::Kind as DType;

triflow::component! {
    /// Entries cut off at ±1, unless it has a fault.
    pub struct Twin: Projection = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Cut {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn Projection> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Projection>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Cut { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl Projection for Cut {
    fn project(&self, data: &Tensor) -> Result<Tensor> {
        let cut = data.clamp(-1.0, 1.0 + self.drift);
        Ok(match () {
            () if self.fault.is("shape") => cut.to_kind(DType::Float),
            () if self.fault.is("flat") => cut.flatten(1, -1),
            () if self.fault.is("finite") => cut.square() / &cut,
            () if self.fault.is("idempotent") => cut * 0.5,
            () if self.fault.is("rows") => data / data.abs().max().clamp_min(1.0),
            () => cut,
        })
    }
}

use super::Fault;
use crate::prelude::*;

triflow::component! {
    /// The network predicts a·noise - b·data, unless it has a fault.
    pub struct Twin: Objective = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Mix {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn Objective> for Twin {
    fn build(&self, (): &()) -> Result<Box<dyn Objective>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Mix { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl Objective for Mix {
    fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
        let (p, q) = (-&point.b, &point.a + self.drift);
        Ok(match () {
            () if self.fault.is("shape") => (p.unsqueeze(1), q),
            // Infinite only at the ends.
            () if self.fault.is("finite") => (p / (&point.t * (1.0 - &point.t)), q),
            () if self.fault.is("rows_independent") => (p, q + point.t.mean(None)),
            // The output is z itself.
            () if self.fault.is("readings_agree") => {
                (point.a.shallow_clone(), point.b.shallow_clone())
            }
            () => (p, q),
        })
    }

    fn default_path(&self) -> Result<&'static str> {
        Ok("variance_preserving")
    }
}

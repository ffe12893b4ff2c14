use super::Fault;
use crate::prelude::*;
use tch::Kind as DType;

triflow::component! {
    /// Linear log-SNR with a learned slope, unless it has a fault.
    pub struct Twin: NoiseSchedule = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Line {
    fault: Fault,
    slope: Tensor,
    outside: Tensor,
}

impl Spec<dyn NoiseSchedule> for Twin {
    fn build(&self, ctx: &BuildContext) -> Result<Box<dyn NoiseSchedule>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        let slope = ctx.vars.var("slope", &[], nn::Init::Const(10.0));
        if self.fault.is("unused_variable") {
            let _ = ctx.vars.var("unused", &[], nn::Init::Const(0.0));
        }
        let drawn = Tensor::randn([1], (slope.kind(), slope.device())).abs();
        let outside = drawn * self.fault.choose("save_load", 1.0, 0.0) + self.fault.drift();
        Ok(Box::new(Line { fault: self.fault.clone(), slope, outside }))
    }
}

impl NoiseSchedule for Line {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        assert!(!self.fault.is("panics"), "on purpose");
        let line = (t - 0.5) * &self.slope + self.outside.to_kind(t.kind());
        Ok(match () {
            () if self.fault.is("shape") => line.to_kind(DType::Float),
            () if self.fault.is("increasing") => -line,
            () if self.fault.is("flat") => line * 0.0,
            () if self.fault.is("finite_ends") => line * 20.0,
            () if self.fault.is("endless") => line + t.log(),
            () => line,
        })
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let slope = match () {
            () if self.fault.is("derivative") => &self.slope * 1.1,
            () if self.fault.is("increasing") => -&self.slope,
            () if self.fault.is("gradients") => self.slope.detach(),
            () => self.slope.shallow_clone(),
        };
        Ok(t.ones_like() * slope)
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let t = (gamma - self.outside.to_kind(gamma.kind())) / &self.slope + 0.5;
        Ok(self.fault.choose("inverse", 1.1, 1.0) * t)
    }
}

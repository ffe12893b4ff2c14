use super::Fault;
use crate::prelude::*;
use tch::{Device, Kind as DType};

triflow::component! {
    /// Standard normal draws, unless it has a fault.
    pub struct Twin: Source = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Normal(Fault);

impl Spec<dyn Source> for Twin {
    fn build(&self, _: &SourceContext) -> Result<Box<dyn Source>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Normal(self.fault.clone())))
    }
}

impl Source for Normal {
    fn draw(&self, draws: &dyn Draws, shape: &[i64], options: (DType, Device)) -> Result<Tensor> {
        let fault = &self.0;
        if fault.is("rows_alone") {
            return Ok(Tensor::randn(shape, options));
        }
        let normal = draws.normal(shape, options)? + fault.drift();
        Ok(match () {
            () if fault.is("shape") => normal.unsqueeze(0),
            () if fault.is("float64_alone") => normal.to_kind(DType::Double),
            () if fault.is("finite") => normal / 0.0,
            () if fault.is("own_draws") => Tensor::ones(shape, options),
            () if fault.is("standard_normal") => normal * 1.1,
            () if fault.is("uniform") => (draws.uniform(shape, options)? - 0.5) * 12f64.sqrt(),
            () if fault.is("identically_distributed") => {
                let mut drift = vec![1; shape.len()];
                drift[0] = shape[0];
                normal + Tensor::linspace(0.0, 1.0, shape[0], options).view(drift.as_slice())
            }
            () => normal,
        })
    }

    fn is_standard_normal(&self) -> Result<bool> {
        Ok(true)
    }
}

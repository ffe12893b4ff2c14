use super::Fault;
use crate::prelude::*;
use tch::{Device, Kind as DType};

triflow::component! {
    /// Six points of two classes in the plane, unless it has a fault.
    pub struct Twin: DataSource = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Points(Fault);

impl Spec<dyn DataSource> for Twin {
    fn build(&self, _: &DataContext) -> Result<Box<dyn DataSource>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Points(self.fault.clone())))
    }
}

impl DataSource for Points {
    fn load(&self) -> Result<Splits> {
        let fault = &self.0;
        let labels = fault.choose("rows", 5, 6);
        let mut x = Tensor::arange(12, (DType::Float, Device::Cpu)).view([6, 2]) + fault.drift();
        let y = Tensor::arange(labels, (DType::Int64, Device::Cpu)).remainder(2);
        if fault.is("finite") {
            x = x.log() - f64::INFINITY;
        }
        if fault.is("torch_seed") {
            x = x.randn_like();
        }
        let train = match fault.is("empty") {
            true => Columns { x: Some(x.narrow(0, 0, 0)), y: None, ..Columns::default() },
            false => Columns { x: Some(x), y: Some(y), ..Columns::default() },
        };
        Ok(Splits { train, ..Splits::default() })
    }
}

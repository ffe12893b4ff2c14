use super::Fault;
use crate::prelude::*;
use tch::{Device, Kind as DType};

triflow::component! {
    /// A quarter of a circle, a = sin(πt/2), b = cos(πt/2), unless it has a fault.
    pub struct Twin: GaussianPath = "twin" {
        /// The fault.
        pub fault: Fault = Fault::default(),
    }
}

struct Circle {
    fault: Fault,
    drift: f64,
}

impl Spec<dyn GaussianPath> for Twin {
    fn build(&self, _: &PathContext) -> Result<Box<dyn GaussianPath>> {
        if self.fault.is("builds") {
            return Err(Error::runtime("nothing is built"));
        }
        Ok(Box::new(Circle { fault: self.fault.clone(), drift: self.fault.drift() }))
    }
}

impl GaussianPath for Circle {
    fn coefficients(&self, t: &Tensor) -> Result<Coefficients> {
        let fault = &self.fault;
        let angle = t * std::f64::consts::FRAC_PI_2;
        let (a, b) = (angle.sin() + self.drift, angle.cos().clamp_min(0.0));
        Ok(match () {
            () if fault.is("shape") => Coefficients::new(a.to_kind(DType::Float), b),
            () if fault.is("finite") => Coefficients::new(a, b - 0.2),
            () if fault.is("increasing") => Coefficients::new(b, a),
            () if fault.is("rows_independent") => Coefficients::new(a + t.mean(None), b),
            () if fault.is("log_snr") => {
                let gamma = (a.log() - b.log()) * 2.1;
                Coefficients { a, b, gamma: Some(gamma) }
            }
            () => Coefficients::new(a, b),
        })
    }

    fn gamma_prime(&self, point: &PathPoint<'_>) -> Result<Tensor> {
        let exact = (&point.a * &point.b).reciprocal() * std::f64::consts::PI;
        Ok(exact * self.fault.choose("rates", 1.1, 1.0))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let angle = (gamma * 0.5).exp().atan();
        Ok(angle * self.fault.choose("inverse", 1.1, 1.0) / std::f64::consts::FRAC_PI_2)
    }

    fn bounded(&self) -> Result<bool> {
        Ok(self.fault.is("range"))
    }

    fn start_scale(&self, _: Device) -> Result<f64> {
        Ok(self.fault.choose("start", 80.0, 1.0))
    }

    fn input_scale(&self, point: &PathPoint<'_>) -> Result<Option<Tensor>> {
        Ok(self.fault.is("input_scale").then(|| &point.t - 0.5))
    }
}

//! Schedules whose noise levels follow a law in log-SNR: γ(t) = Q(u0 + (u1 − u0)t), where Q is the law's
//! quantile function and u0, u1 its distribution function at the two ends.

use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;
use triflow::tch::Kind;

/// A law with centre 0 and width 1. Everything is asked in float64.
pub trait Standard {
    /// Distribution function at `x`.
    fn cdf(&self, x: &Tensor) -> Tensor;
    /// Quantile of `u`; `tail` is 1 − u, accurate where u is near 1.
    fn quantile(&self, u: &Tensor, tail: &Tensor) -> Tensor;
    /// 1 / density at `x`.
    fn inverse_density(&self, x: &Tensor) -> Tensor;
}

/// What a law of a family is told by, with the names of its keys.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Centre in log-SNR.
    pub mu: f64,
    /// Key and value of the width in log-SNR.
    pub width: (&'static str, f64),
    /// Log-SNR at t = 0 and t = 1.
    pub ends: (f64, f64),
    /// Whether all of these are learned.
    pub learnable: bool,
}

/// The schedule of a law between two ends.
#[derive(Debug)]
pub struct LogSnrLaw<L> {
    mu: Parameter,
    width: Parameter,
    start: Parameter,
    range: Parameter,
    law: L,
}

impl<L: Standard + 'static> LogSnrLaw<L> {
    /// Refuses a width that is not above 0 and ends out of order.
    pub fn build(ctx: &BuildContext, shape: Shape, law: L) -> Result<Box<dyn NoiseSchedule>> {
        let (start, end) = shape.ends;
        let (key, width) = shape.width;
        require(width > 0.0, key, &format!("needs {key} > 0"))?;
        require(start < end, "gamma_min", "needs gamma_min < gamma_max")?;
        let parameter =
            |name, value, transform| Parameter::new(ctx, name, value, transform, shape.learnable);
        Ok(Box::new(Self {
            mu: parameter("mu", shape.mu, Transform::Free)?,
            width: parameter(key, width, Transform::Above(0.0))?,
            start: parameter("gamma_min", start, Transform::Free)?,
            range: parameter("gamma_range", end - start, Transform::Above(0.0))?,
            law,
        }))
    }

    fn standard(&self, gamma: &Tensor) -> Tensor {
        (gamma - self.mu.value()) / self.width.value()
    }

    /// (u0, u1), the distribution function at the two ends.
    fn ends(&self) -> (Tensor, Tensor) {
        let start = self.start.value().to_kind(Kind::Double);
        let end = &start + self.range.value();
        (self.law.cdf(&self.standard(&start)), self.law.cdf(&self.standard(&end)))
    }
}

impl<L: Standard + 'static> NoiseSchedule for LogSnrLaw<L> {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let wide = t.to_kind(Kind::Double);
        let u = &wide * (&u1 - &u0) + &u0;
        let tail = (wide.neg() + 1.0) * (&u1 - &u0) + (u1.neg() + 1.0);
        let gamma = self.law.quantile(&u, &tail) * self.width.value() + self.mu.value();
        Ok(gamma.to_kind(t.kind()))
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let gamma = self.gamma(&t.to_kind(Kind::Double))?;
        let inverse_density = self.law.inverse_density(&self.standard(&gamma)) * self.width.value();
        Ok((inverse_density * (u1 - u0)).to_kind(t.kind()))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let (u0, u1) = self.ends();
        let u = self.law.cdf(&self.standard(&gamma.to_kind(Kind::Double)));
        Ok(((u - &u0) / (u1 - u0)).to_kind(gamma.kind()))
    }
}

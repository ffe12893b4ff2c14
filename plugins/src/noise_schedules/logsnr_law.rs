//! Schedules whose noise levels follow a law in log-SNR: γ(t) = Q(u0 + (u1 − u0)t), where Q is the law's
//! quantile function and u0, u1 its distribution function at the two ends.

use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;
use triflow::tch::Kind;

/// A law that is symmetric about 0, of width 1. Everything is asked in float64. Both tails go through the
/// lower one, F(x) and 1 − F(x) = F(−x): next to 1 nothing would be left of them.
pub trait Standard {
    /// Distribution function F at `x`, to a relative precision where it is small.
    fn cdf(&self, x: &Tensor) -> Tensor;
    /// Quantile of `u` in (0, 1), to a relative precision where `u` is small.
    fn lower_quantile(&self, u: &Tensor) -> Tensor;
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

    /// The law between the two ends.
    fn within(&self) -> Within {
        let start = self.start.value().to_kind(Kind::Double);
        let end = &start + self.range.value();
        let [start, end] = [start, end].map(|gamma| self.standard(&gamma));
        let lower = [&start, &end].map(|x| self.law.cdf(x));
        let upper = [&start, &end].map(|x| self.law.cdf(&x.neg()));
        Within { above: start.gt(0.0), lower, upper }
    }
}

/// F and 1 − F at the two ends.
struct Within {
    /// Whether both ends lie above the centre, where F has lost the digits of its differences.
    above: Tensor,
    lower: [Tensor; 2],
    upper: [Tensor; 2],
}

impl Within {
    /// F(x) − F(start) for F and 1 − F at x.
    fn after_start(&self, lower: &Tensor, upper: &Tensor) -> Tensor {
        (&self.upper[0] - upper).where_self(&self.above, &(lower - &self.lower[0]))
    }

    /// F(end) − F(start).
    fn range(&self) -> Tensor {
        self.after_start(&self.lower[1], &self.upper[1])
    }
}

impl<L: Standard + 'static> NoiseSchedule for LogSnrLaw<L> {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let Within { lower, upper, .. } = self.within();
        let wide = t.to_kind(Kind::Double);
        // Sums of what is not negative: each of the two keeps its digits where it is small.
        let between = |[start, end]: &[Tensor; 2]| (wide.neg() + 1.0) * start + &wide * end;
        let [u, tail] = [&lower, &upper].map(between);
        // From the smaller one; at the centre from both, each with half of the slope.
        let share = (u.le_tensor(&tail).to_kind(Kind::Double) + u.lt_tensor(&tail)) * 0.5;
        let [below, above] = [&u, &tail].map(|u| self.law.lower_quantile(u));
        let x = below * &share - above * (share.neg() + 1.0);
        let gamma = x * self.width.value() + self.mu.value();
        Ok(gamma.to_kind(t.kind()))
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let gamma = self.gamma(&t.to_kind(Kind::Double))?;
        let inverse_density = self.law.inverse_density(&self.standard(&gamma)) * self.width.value();
        Ok((inverse_density * self.within().range()).to_kind(t.kind()))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let within = self.within();
        let x = self.standard(&gamma.to_kind(Kind::Double));
        let gone = within.after_start(&self.law.cdf(&x), &self.law.cdf(&x.neg()));
        Ok((gone / within.range()).to_kind(gamma.kind()))
    }
}

//! Schedules under which log-SNR has a given distribution for uniform time:
//! γ(t) = Q(u0 + (u1 − u0)t), with the quantile function Q of the distribution, and u0 and u1 its
//! distribution function at the two ends.

use super::parameter::{Parameter, Transform, require};
use triflow::prelude::*;
use triflow::tch::Kind;

/// A distribution that is symmetric about 0 and has width 1, evaluated in float64.
///
/// Its upper tail is computed from the lower one, 1 − F(x) = F(−x), since values of F near 1 lose
/// the digits of 1 − F.
pub trait Standard {
    /// Distribution function F at `x`, to full relative precision where it is small.
    fn cdf(&self, x: &Tensor) -> Tensor;
    /// Quantile of `u` in (0, 1), to full relative precision where `u` is small.
    fn lower_quantile(&self, u: &Tensor) -> Tensor;
    /// 1 / density at `x`.
    fn inverse_density(&self, x: &Tensor) -> Tensor;
}

/// Parameters of a distribution of log-SNR, and the name of the key of its width.
#[derive(Clone, Copy, Debug)]
pub struct LogSnrParameters {
    /// Centre in log-SNR.
    pub mu: f64,
    /// Key and value of the width in log-SNR, above 0.
    pub width: (&'static str, f64),
    /// Log-SNR at t = 0 and t = 1.
    pub ends: (f64, f64),
    /// `true` if all of these are learned.
    pub learnable: bool,
}

/// Noise schedule of a distribution of log-SNR between two ends.
#[derive(Debug)]
pub struct LogSnrDistribution<D> {
    mu: Parameter,
    width: Parameter,
    start: Parameter,
    range: Parameter,
    distribution: D,
}

impl<D: Standard + 'static> LogSnrDistribution<D> {
    /// The schedule of a distribution with these parameters.
    ///
    /// # Errors
    /// The ends are out of order, or a learnable parameter starts outside
    /// its range.
    pub fn build(
        ctx: &BuildContext,
        parameters: LogSnrParameters,
        distribution: D,
    ) -> Result<Box<dyn NoiseSchedule>> {
        let (start, end) = parameters.ends;
        let (key, width) = parameters.width;
        require(start < end, "gamma_min", "needs gamma_min < gamma_max")?;
        let parameter = |name, value, transform| {
            Parameter::new(ctx, name, value, transform, parameters.learnable)
        };
        Ok(Box::new(Self {
            mu: parameter("mu", parameters.mu, Transform::Free)?,
            width: parameter(key, width, Transform::Above(0.0))?,
            start: parameter("gamma_min", start, Transform::Free)?,
            range: parameter("gamma_range", end - start, Transform::Above(0.0))?,
            distribution,
        }))
    }

    /// (γ − mu)/width.
    fn standardised(&self, gamma: &Tensor) -> Tensor {
        (gamma - self.mu.value()) / self.width.value()
    }

    /// The distribution function at the two ends.
    fn tails_at_ends(&self) -> EndTails {
        let start = self.start.value().to_kind(Kind::Double);
        let end = &start + self.range.value();
        let [start, end] = [start, end].map(|gamma| self.standardised(&gamma));
        let lower = [&start, &end].map(|x| self.distribution.cdf(x));
        let upper = [&start, &end].map(|x| self.distribution.cdf(&x.neg()));
        EndTails { above: start.gt(0.0), lower, upper }
    }
}

/// F (`lower`) and 1 − F (`upper`) at the two ends.
struct EndTails {
    /// True if both ends lie above the centre, where differences of F lose digits.
    above: Tensor,
    lower: [Tensor; 2],
    upper: [Tensor; 2],
}

impl EndTails {
    /// F(x) − F(start), from F(x) and 1 − F(x).
    fn mass_from_start(&self, lower: &Tensor, upper: &Tensor) -> Tensor {
        (&self.upper[0] - upper).where_self(&self.above, &(lower - &self.lower[0]))
    }

    /// F(end) − F(start).
    fn mass(&self) -> Tensor {
        self.mass_from_start(&self.lower[1], &self.upper[1])
    }
}

impl<D: Standard + 'static> NoiseSchedule for LogSnrDistribution<D> {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let EndTails { lower, upper, .. } = self.tails_at_ends();
        let wide = t.to_kind(Kind::Double);
        // Sums of non-negative terms: u and 1 − u each keep their digits where they are small.
        let between = |[start, end]: &[Tensor; 2]| (wide.neg() + 1.0) * start + &wide * end;
        let [u, tail] = [&lower, &upper].map(between);
        // From the smaller of the two; at the centre from both, each with half of the gradient.
        let share = (u.le_tensor(&tail).to_kind(Kind::Double) + u.lt_tensor(&tail)) * 0.5;
        let [below, above] = [&u, &tail].map(|u| self.distribution.lower_quantile(u));
        let x = below * &share - above * (share.neg() + 1.0);
        let gamma = x * self.width.value() + self.mu.value();
        Ok(gamma.to_kind(t.kind()))
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let gamma = self.gamma(&t.to_kind(Kind::Double))?;
        let inverse_density =
            self.distribution.inverse_density(&self.standardised(&gamma)) * self.width.value();
        Ok((inverse_density * self.tails_at_ends().mass()).to_kind(t.kind()))
    }

    fn time_of(&self, gamma: &Tensor) -> Result<Tensor> {
        let tails = self.tails_at_ends();
        let x = self.standardised(&gamma.to_kind(Kind::Double));
        let (lower, upper) = (self.distribution.cdf(&x), self.distribution.cdf(&x.neg()));
        Ok((tails.mass_from_start(&lower, &upper) / tails.mass()).to_kind(gamma.kind()))
    }
}

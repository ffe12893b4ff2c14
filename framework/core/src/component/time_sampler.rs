use crate::component_kind;
use crate::point::Clock;
use tch::Tensor;

/// Quantiles of a distribution in a clock.
#[derive(Debug)]
pub struct Quantiles {
    /// Times or log-SNRs, by the clock, `[batch]`.
    pub at: Tensor,
    /// Derivative of `at` by the quantile, `[batch]` or one number for all, above 0: the reciprocal
    /// of the density. Errors are then multiplied by it, so that the expected loss is that of times
    /// uniform on \[0, 1\]. `None` leaves the loss to the distribution: where it has more times,
    /// errors count more.
    pub slope: Option<Tensor>,
}

impl Quantiles {
    /// Quantiles of a distribution that is part of the loss.
    pub fn new(at: Tensor) -> Self {
        Self { at, slope: None }
    }

    /// Quantiles with their derivative, of a distribution that the loss does not depend on.
    pub fn with_slope(at: Tensor, slope: Tensor) -> Self {
        Self { at, slope: Some(slope) }
    }
}

component_kind! {
    /// The distribution of the times t in training.
    kind "time_sampler", context<'a> ();

    /// Distribution of times, or of log-SNRs, given by its quantile function. The engine draws the
    /// quantiles, so that all random numbers are its own, and converts log-SNRs to times.
    pub trait TimeSampler {
        /// Values in the sampler's clock at quantiles `u`, `[batch]` in \[0, 1\], in their shape,
        /// precision and order: they do not fall as u rises, and each depends on its own u alone.
        /// They are between `ends`, the first and the last value of the clock on the path, `[2]`:
        /// 0 and 1 for time; for log-SNR its ends, −∞ and ∞ on a path where they are infinite.
        fn quantiles(&self, u: &Tensor, ends: &Tensor) -> Result<Quantiles>;
    }
    provided {
        /// The clock of the distribution.
        fn clock(&self) -> Result<Clock> {
            Ok(Clock::Time)
        }
        /// True if the quantiles of a batch are stratified, one in each of `batch` equal intervals;
        /// false if they are independent.
        fn stratified(&self) -> Result<bool> {
            Ok(true)
        }
        /// True if the ends of the clock have to be finite.
        fn needs_finite_ends(&self) -> Result<bool> {
            Ok(false)
        }
    }
}

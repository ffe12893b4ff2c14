//! Schedules of alpha_bar as a curve: alpha_bar(t) = lo + (hi − lo)·F(t), where F(0) = 0 and
//! F(1) = 1 exactly.
//!
//! 1 − alpha_bar is computed from a formula of its own, so that γ, γ' and SNR' are finite and exact
//! on the closed interval without clipping.

use super::parameter::{ALPHA_BAR_MARGIN, Parameter, Transform, require};
use triflow::prelude::*;
use triflow::tch::Kind;

/// A curve and its slope at some times.
#[derive(Debug)]
pub struct CurvePoint {
    /// F(t), `[batch]`.
    pub value: Tensor,
    /// 1 − F(t), `[batch]`, accurate near t = 1.
    pub complement: Tensor,
    /// dF/dt, `[batch]`.
    pub slope: Tensor,
}

/// A curve F from (0, 0) to (1, 1).
pub trait Curve {
    /// The curve at times `t`, `[batch]`.
    fn at(&self, t: &Tensor) -> CurvePoint;
}

/// Noise schedule of a curve between two ends of alpha_bar.
#[derive(Debug)]
pub struct AlphaBar<C> {
    lo: Parameter,
    span: Span,
    curve: C,
}

#[derive(Debug)]
enum Span {
    Fixed {
        hi: f64,
    },
    /// hi = lo + (1 − margin − lo)·sigmoid(raw), which is always above lo.
    Learnable {
        share: Parameter,
    },
}

impl<C: Curve + 'static> AlphaBar<C> {
    /// The schedule of a curve from `lo` at t = 0 to `hi` at t = 1; the ends are learned if
    /// `learnable`.
    ///
    /// # Errors
    /// The ends do not satisfy lo < hi, or learnable ones start within [`ALPHA_BAR_MARGIN`]
    /// of 0 or 1.
    pub fn build(
        ctx: &BuildContext,
        lo: f64,
        hi: f64,
        learnable: bool,
        curve: C,
    ) -> Result<Box<dyn NoiseSchedule>> {
        require(lo < hi, "alpha_bar_min", "needs alpha_bar_min < alpha_bar_max")?;
        let margin = ALPHA_BAR_MARGIN;
        let bounds = Transform::Between(margin, 1.0 - margin);
        require(
            !learnable || (margin < lo && hi < 1.0 - margin),
            if lo <= margin { "alpha_bar_min" } else { "alpha_bar_max" },
            &format!("a learnable end starts between {margin} and {}", 1.0 - margin),
        )?;
        let span = if learnable {
            let share = (hi - lo) / (1.0 - margin - lo);
            Span::Learnable {
                share: Parameter::new(
                    ctx,
                    "alpha_bar_max",
                    share,
                    Transform::Between(0.0, 1.0),
                    true,
                )?,
            }
        } else {
            Span::Fixed { hi }
        };
        let lo = Parameter::new(ctx, "alpha_bar_min", lo, bounds, learnable)?;
        Ok(Box::new(Self { lo, span, curve }))
    }

    /// (lo, hi − lo, 1 − hi), each `[]`.
    fn ends(&self) -> (Tensor, Tensor, Tensor) {
        let lo = self.lo.value();
        match &self.span {
            Span::Fixed { hi } => {
                (lo.shallow_clone(), lo.neg() + *hi, lo.zeros_like() + (1.0 - *hi))
            }
            Span::Learnable { share } => {
                let room = lo.neg() + (1.0 - ALPHA_BAR_MARGIN);
                let share = share.value();
                let rest = &room * (share.neg() + 1.0) + ALPHA_BAR_MARGIN;
                (lo, room * share, rest)
            }
        }
    }
}

impl<C: Curve + 'static> NoiseSchedule for AlphaBar<C> {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        let (lo, span, rest) = self.ends();
        let point = self.curve.at(t);
        Ok((point.value * &span + lo).log() - (point.complement * span + rest).log())
    }

    fn gamma_prime(&self, t: &Tensor) -> Result<Tensor> {
        let (lo, span, rest) = self.ends();
        let point = self.curve.at(t);
        Ok(point.slope * &span / ((point.value * &span + lo) * (point.complement * span + rest)))
    }
}

/// The curve F(t) = (G(t) − G(0)) / (G(1) − G(0)) of a distribution function G over time.
#[derive(Debug)]
pub struct Normalised<D>(pub D);

/// A distribution function G over time.
pub trait Distribution {
    /// G(t) and 1 − G(t), `[batch]` each; the smaller one to full relative precision.
    fn tails(&self, t: &Tensor) -> (Tensor, Tensor);
    /// dG/dt, `[batch]`.
    fn density(&self, t: &Tensor) -> Tensor;
}

impl<D: Distribution> Curve for Normalised<D> {
    fn at(&self, t: &Tensor) -> CurvePoint {
        // In float64, since differences of G lose digits.
        let (kind, wide) = (t.kind(), t.to_kind(Kind::Double));
        let end = |t: f64| self.0.tails(&wide.new_full([], t, (Kind::Double, wide.device())));
        let (start, end, now) = (end(0.0), end(1.0), self.0.tails(&wide));
        // Where all times lie above the centre, differences of 1 − G keep the digits that those of
        // G lose.
        let above = start.0.gt(0.5);
        let between = |from: &(Tensor, Tensor), to: &(Tensor, Tensor)| {
            (&from.1 - &to.1).where_self(&above, &(&to.0 - &from.0))
        };
        let range = between(&start, &end);
        CurvePoint {
            value: (between(&start, &now) / &range).to_kind(kind),
            complement: (between(&now, &end) / &range).to_kind(kind),
            slope: (self.0.density(&wide) / range).to_kind(kind),
        }
    }
}

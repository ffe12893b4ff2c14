//! Step lengths: from the nodes of a grid, or from error estimates.

use super::solver::{Field, Node};
use crate::error::{Error, Result};
use crate::point::Grid;
use crate::registry::check_group;
use crate::{choices, parameters};
use tch::{Kind as DType, Tensor};

choices! {
    /// Norm of the error that is compared with the tolerance.
    pub enum ErrorNorm {
        /// Root mean square over all entries of the batch.
        Batch = "batch",
        /// Largest root mean square of a row: every sample meets the tolerance, at the cost of more
        /// steps.
        WorstRow = "worst_row",
    }
}

impl ErrorNorm {
    fn norm(self, scaled: &Tensor) -> f64 {
        let squares = scaled.square();
        let mean = match self {
            ErrorNorm::Batch => squares.mean(DType::Double),
            ErrorNorm::WorstRow => {
                let rows = squares.reshape([squares.size()[0], -1]);
                rows.mean_dim([1].as_slice(), false, DType::Double).max()
            }
        };
        mean.sqrt().double_value(&[])
    }
}

parameters! {
    /// Factor from the length of a step to that of the next. With the error E of the step relative
    /// to the tolerance and the order k it is safety·E^(−alpha/k)·E_before^(beta/k) after an
    /// accepted step (E ≤ 1) and safety·E^(−1/k) after a rejected one, limited to `min` and `max`,
    /// and to 1 right after a rejection.
    ///
    /// `safety`, `min` and `max` are those of the code DOPRI5 (Hairer, Nørsett & Wanner 1993,
    /// Solving Ordinary Differential Equations I, II.4 and appendix), `alpha` and `beta` those of
    /// Gustafsson's proportional-integral control (Hairer & Wanner 1996, II, IV.2). With alpha 1
    /// and beta 0 it is the elementary control, I, II.4, eq. 4.13.
    pub struct StepFactor {
        /// Factor on the length at which the error would just meet the tolerance.
        #[range(above = 0, max = 1)]
        pub safety: f64 = 0.9,
        /// Minimum factor.
        #[range(above = 0, below = 1)]
        pub min: f64 = 0.2,
        /// Maximum factor.
        #[range(min = 1)]
        pub max: f64 = 10.0,
        /// Exponent of the error of the step.
        #[range(above = 0, max = 1)]
        pub alpha: f64 = 0.7,
        /// Exponent of the previous step's error.
        #[range(min = 0, max = 1)]
        pub beta: f64 = 0.4,
    }
}

/// Lower bound of an error in the factor, which is `max` there.
const LEAST_ERROR: f64 = 1e-12;

/// Lower bound of the previous error, as in DOPRI5: one very accurate step must not shorten the
/// next.
const LEAST_ERROR_BEFORE: f64 = 1e-4;

impl StepFactor {
    fn accepted(&self, order: f64, error: f64, before: f64) -> f64 {
        let power = 1.0 / order;
        let factor = self.safety
            * error.max(LEAST_ERROR).powf(-self.alpha * power)
            * before.powf(self.beta * power);
        factor.max(self.min).min(self.max)
    }

    fn rejected(&self, order: f64, error: f64) -> f64 {
        (self.safety * error.powf(-(1.0 / order))).max(self.min)
    }
}

/// Step control of a method that estimates its errors.
#[derive(Clone, Debug, PartialEq)]
pub struct StepControl {
    /// Relative tolerance, above 0.
    pub rtol: f64,
    /// Absolute tolerance, above 0.
    pub atol: f64,
    /// First step as a share of the whole interval, above 0.
    pub first_step: f64,
    /// Maximum number of steps, accepted and rejected; more are an error.
    pub max_steps: usize,
    /// Norm of the error that is compared with the tolerance.
    pub error: ErrorNorm,
    /// Factor from error to step length.
    pub factor: StepFactor,
}

impl StepControl {
    /// Checks that every number is in its range.
    ///
    /// # Errors
    /// [`Error::Config`] at the key of a number that is not.
    pub fn check(&self) -> Result<()> {
        let positive = [("rtol", self.rtol), ("atol", self.atol), ("first_step", self.first_step)];
        if let Some((key, v)) = positive.iter().find(|(_, v)| v.is_nan() || *v <= 0.0) {
            return Err(Error::config(*key, format!("needs a number above 0, got {v}")));
        }
        check_group(&self.factor).map_err(|e| e.within("factor"))
    }
}

/// Ends of a step.
#[derive(Clone, Copy)]
pub(super) struct Interval<N> {
    pub s: f64,
    pub next: f64,
    /// Length; `next` − `s` is this length, rounded.
    pub h: f64,
    pub from: N,
    pub to: N,
    pub last: bool,
}

/// Chooser of the steps of one integration.
pub(super) struct StepChooser<'p, N> {
    lengths: Lengths<'p, N>,
    accepted: usize,
    rejected: usize,
}

enum Lengths<'p, N> {
    Grid { clock: &'p [f64], nodes: Vec<N> },
    Control(Controlled<'p, N>),
}

struct Controlled<'p, N> {
    control: &'p StepControl,
    order: f64,
    first: N,
    s: f64,
    end: f64,
    h: f64,
    /// Error of the previous step.
    before: f64,
    after_rejection: bool,
}

impl<'p, N: Node> StepChooser<'p, N> {
    pub fn new(
        field: &dyn Field,
        grid: &'p Grid,
        control: Option<&'p StepControl>,
        order: usize,
    ) -> Result<Self> {
        let (s, end) = (grid.start(), grid.end());
        let lengths = match control {
            None => Lengths::Grid { clock: &grid.nodes, nodes: nodes(field, &grid.nodes)? },
            Some(control) => Lengths::Control(Controlled {
                control,
                order: order.max(1) as f64,
                first: nodes(field, &[s])?[0],
                s,
                end,
                h: (end - s) * control.first_step,
                before: 1.0,
                after_rejection: false,
            }),
        };
        Ok(Self { lengths, accepted: 0, rejected: 0 })
    }

    /// The next step to try; `None` at the end.
    pub fn next(&self, field: &dyn Field) -> Result<Option<Interval<N>>> {
        match &self.lengths {
            Lengths::Grid { clock, nodes } => {
                let (i, j) = (self.accepted, self.accepted + 1);
                let Some(&next) = clock.get(j) else { return Ok(None) };
                let (s, last) = (clock[i], j + 1 == clock.len());
                Ok(Some(Interval { s, next, h: next - s, from: nodes[i], to: nodes[j], last }))
            }
            Lengths::Control(own) => own.next(field, self.accepted + self.rejected),
        }
    }

    /// The path at the start of the grid.
    pub fn first(&self) -> Option<N> {
        match &self.lengths {
            Lengths::Grid { nodes, .. } => nodes.first().copied(),
            Lengths::Control(own) => Some(own.first),
        }
    }

    /// Returns true if a step between two states is accepted, given its `error` estimate.
    pub fn accept(
        &mut self,
        interval: &Interval<N>,
        states: [&Tensor; 2],
        error: Option<&Tensor>,
    ) -> Result<bool> {
        let accepted = match &mut self.lengths {
            Lengths::Grid { .. } => true,
            Lengths::Control(own) => own.accept(interval, states, error)?,
        };
        *(if accepted { &mut self.accepted } else { &mut self.rejected }) += 1;
        Ok(accepted)
    }

    pub fn rejected(&self) -> usize {
        self.rejected
    }
}

impl<N: Node> Controlled<'_, N> {
    fn next(&self, field: &dyn Field, tried: usize) -> Result<Option<Interval<N>>> {
        let (s, end, max_steps) = (self.s, self.end, self.control.max_steps);
        if s >= end {
            return Ok(None);
        }
        if tried >= max_steps {
            return Err(Error::runtime(format!(
                "no end after {max_steps} steps (reached {s:.6} of {end:.6}); the field may be stiff: \
                 raise rtol, atol or max_steps"
            )));
        }
        let last = s + self.h >= end;
        let (h, next) = if last { (end - s, end) } else { (self.h, s + self.h) };
        let nodes = nodes(field, &[s, next])?;
        Ok(Some(Interval { s, next, h, from: nodes[0], to: nodes[1], last }))
    }

    fn accept(
        &mut self,
        interval: &Interval<N>,
        [z, end]: [&Tensor; 2],
        error: Option<&Tensor>,
    ) -> Result<bool> {
        let Some(error) = error else {
            return Err(Error::runtime("chooses its own steps, but estimates no error"));
        };
        let StepControl { rtol, atol, error: kind, factor, .. } = self.control;
        let scale = z.abs().maximum(&end.abs()) * *rtol + *atol;
        let error = kind.norm(&(error / scale));
        if !error.is_finite() {
            return Err(Error::runtime(format!("the field is not finite near {:.6}", interval.s)));
        }
        if error > 1.0 {
            self.h = interval.h * factor.rejected(self.order, error);
            self.after_rejection = true;
            return Ok(false);
        }
        let mut longer = factor.accepted(self.order, error, self.before);
        if self.after_rejection {
            longer = longer.min(1.0);
        }
        self.h = interval.h * longer;
        self.s = interval.next;
        self.before = error.max(LEAST_ERROR_BEFORE);
        self.after_rejection = false;
        Ok(true)
    }
}

/// Nodes at clock values, checked to be as many.
fn nodes<N: Node>(field: &dyn Field, clock: &[f64]) -> Result<Vec<N>> {
    let nodes = N::at(field, clock)?;
    match nodes.len() == clock.len() {
        true => Ok(nodes),
        false => Err(Error::runtime(format!(
            "the field gives {} levels for {} clock values",
            nodes.len(),
            clock.len()
        ))),
    }
}

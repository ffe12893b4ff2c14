//! The course of the loss and the gradient over the steps, which stays on the device and is read
//! from time to time, so that no step waits for it.

use super::divergence::Cause;
use crate::component::LossTerm;
use crate::error::Result;
use crate::kernels;
use crate::loss::{TERM_COUNT, Terms};
use tch::{Device, Kind, Tensor};

/// Number of steps after which the course is read at the latest.
pub(super) const PERIOD: u64 = 100;

/// Number of sums: of the loss terms, of the rows, of the gradient's norms and of the steps.
const SUMS: usize = TERM_COUNT + 3;
/// Place of the sum of norms.
const NORMS: usize = TERM_COUNT + 1;

/// Sums over the steps of an epoch, and their values after each of the last steps.
#[derive(Debug)]
pub(crate) struct Course {
    /// Sums of the epoch's loss terms over the rows, the number of rows, the sum of the gradient's
    /// norms over the steps, the number of steps, `[9]` in float64.
    all: Tensor,
    /// View of the loss terms and the rows.
    terms: Tensor,
    /// View of the norms and the steps.
    norms: Tensor,
    /// Terms that training measures; the sums of others are NaN.
    measured: [bool; TERM_COUNT],
    /// `all` after each step, `[PERIOD, 9]`.
    log: Tensor,
    /// Number of steps in `log`.
    logged: u64,
    /// `all` before the first step in `log`.
    begun: Vec<f64>,
    /// Norm of the gradient in the step before those in `log`; `None` if it is not known.
    norm_before: Option<f64>,
}

/// A step at which something was not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fault {
    /// Number of the step in the log, from 1.
    pub step: u64,
    pub cause: Cause,
    /// Norm of the gradient in this step if it is finite, else in the one before it; `None` if that
    /// is not known.
    pub norm: Option<f64>,
    /// True if `norm` is that of the step before.
    pub norm_before: bool,
}

impl Course {
    pub fn new(device: Device) -> Self {
        let all = Tensor::zeros([SUMS as i64], (Kind::Double, device));
        let log = Tensor::zeros([PERIOD as i64, SUMS as i64], (Kind::Double, device));
        Self {
            terms: all.narrow(0, 0, NORMS as i64),
            norms: all.narrow(0, NORMS as i64, 2),
            all,
            measured: [false; TERM_COUNT],
            log,
            logged: 0,
            begun: vec![0.0; SUMS],
            norm_before: None,
        }
    }

    /// Sums of the loss terms over the rows of the epoch, and the number of rows, `[7]`.
    pub fn terms(&self) -> &Tensor {
        &self.terms
    }

    /// Sum of the gradient's norms over the steps of the epoch, and the number of steps, `[2]`.
    pub fn norms(&self) -> &Tensor {
        &self.norms
    }

    /// Adds the loss terms of `rows` rows to `sums`, `[7]`; of the epoch if they are `None`.
    pub fn add_terms(&mut self, terms: &Terms, rows: i64, sums: Option<&mut Tensor>) {
        for term in LossTerm::ALL {
            self.measured[term as usize] |= terms.get(term).is_some();
        }
        terms.add_to(sums.unwrap_or(&mut self.terms), rows);
    }

    /// Adds sums of the loss terms, `[7]`.
    pub fn add(&mut self, sums: &Tensor) {
        let _ = tch::no_grad(|| self.terms.g_add_(sums));
    }

    /// Adds the norm of a step's gradient, `[]`.
    pub fn add_norm(&mut self, norm: &Tensor) {
        kernels::accumulate(&mut self.norms, &[Some(norm)], 1.0);
    }

    /// Keeps the sums after a step. Not part of what a device records, as the place changes.
    pub fn log(&mut self) {
        self.log.get(self.logged as i64).copy_(&self.all);
        self.logged += 1;
    }

    /// Number of steps in the log.
    pub fn logged(&self) -> u64 {
        self.logged
    }

    /// Begins a log at the present sums.
    pub fn begin(&mut self) -> Result<()> {
        let before = match self.logged {
            0 => None,
            1 => Some(self.begun[NORMS]),
            n => Some(self.log.get(n as i64 - 2).double_value(&[NORMS as i64])),
        };
        self.begun = Vec::try_from(self.all.to_device(Device::Cpu))?;
        self.norm_before = before.map(|before| self.begun[NORMS] - before).or(self.norm_before);
        self.logged = 0;
        Ok(())
    }

    /// Replaces the sums by those of a checkpoint.
    pub fn restore(&mut self, terms: &Tensor, norms: &Tensor) {
        self.terms.copy_(terms);
        self.norms.copy_(norms);
        (self.logged, self.norm_before) = (0, None);
    }

    /// Begins an epoch.
    pub fn zero(&mut self) {
        let _ = self.all.zero_();
        self.logged = 0;
        self.begun.fill(0.0);
    }

    /// Reads the log: the first step at which something was not finite.
    pub fn fault(&self) -> Result<Option<Fault>> {
        if self.logged == 0 {
            return Ok(None);
        }
        let rows = self.log.narrow(0, 0, self.logged as i64).to_device(Device::Cpu);
        let rows = Vec::<f64>::try_from(rows.reshape([-1]))?;
        let (mut before, mut norm) = (&*self.begun, self.norm_before);
        for (step, row) in (1..).zip(rows.chunks_exact(SUMS)) {
            let this = Some(row[NORMS] - before[NORMS]).filter(|norm| norm.is_finite());
            if let Some(cause) = self.cause(row) {
                let (norm, norm_before) = (this.or(norm), this.is_none());
                return Ok(Some(Fault { step, cause, norm, norm_before }));
            }
            (before, norm) = (row, this);
        }
        Ok(None)
    }

    /// Cause of a fault, by the sums after a step; `None` if all that is measured is finite.
    fn cause(&self, row: &[f64]) -> Option<Cause> {
        if row[LossTerm::Total as usize].is_finite() && row[NORMS].is_finite() {
            return None;
        }
        let lost =
            |term: &LossTerm| self.measured[*term as usize] && !row[*term as usize].is_finite();
        // The total, the first of all, follows from the others.
        let term = LossTerm::ALL.into_iter().cycle().skip(1).take(TERM_COUNT).find(lost);
        Some(term.map_or(Cause::Gradient, Cause::Loss))
    }
}

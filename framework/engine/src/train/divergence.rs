//! Training that has diverged: what is no longer finite, at which step, and what follows.

use super::{State, Trainer};
use crate::component::{LossTerm, Restore};
use crate::error::{DIVERGED, Error, Result};
use std::fmt;

/// Values that are no longer finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A term of the loss.
    Loss(LossTerm),
    /// The gradient of a finite loss.
    Gradient,
    /// Parameters, by an update from finite gradients.
    Parameters,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(LossTerm::Total) => f.write_str("the loss is"),
            Self::Loss(term) => write!(f, "the loss term `{}` is", term.name()),
            Self::Gradient => f.write_str("the gradient is"),
            Self::Parameters => f.write_str("the parameters are"),
        }
    }
}

/// The first step of a training at which the loss, the gradient or a parameter was not finite.
///
/// Loss and gradient are known of each step. Parameters are checked every 100 steps, at the ends of
/// epochs and before they are saved: `step` is that of the check for those without effect on
/// either.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// Number of the step, from 1.
    pub step: u64,
    /// Number of its epoch, from 1.
    pub epoch: u64,
    /// Values that are not finite.
    pub cause: Cause,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Euclidean norm of the gradient in the last step in which it was finite; `None` if that is
    /// not known.
    pub gradient_norm: Option<f64>,
    /// True if `gradient_norm` is that of the step before.
    pub norm_before: bool,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} no longer finite at step {} (epoch {}, learning rate {:.2e}",
            self.cause, self.step, self.epoch, self.learning_rate
        )?;
        let before = if self.norm_before { " one step before" } else { "" };
        match self.gradient_norm {
            Some(norm) => write!(f, ", gradient norm {norm:.2e}{before})"),
            None => f.write_str(")"),
        }
    }
}

impl Divergence {
    /// The error of a training that ends with it. `checkpoint` says where its last state is that
    /// can be trusted.
    pub fn error(&self, restores: &[Restore], checkpoint: Option<&str>) -> Error {
        let mut message = self.to_string();
        if let Some(last) = restores.last() {
            let n = restores.len();
            let plural = if n == 1 { "" } else { "s" };
            message += &format!(", after {n} return{plural}, the last to step {}", last.step);
        }
        if let Some(checkpoint) = checkpoint {
            message += &format!("\n  {checkpoint}");
        }
        Error::runtime(format!("{message}\n  {DIVERGED}"))
    }
}

impl Trainer {
    /// The first step at which something was not finite; `None` if all is finite.
    ///
    /// # Errors
    /// [`Error::Component`]: the optimizer or its schedule fails.
    pub fn divergence(&self) -> Result<Option<Divergence>> {
        let (step, cause, norm, norm_before) = match self.course.fault()? {
            Some(fault) => {
                let before = self.step - self.course.logged();
                (before + fault.step, fault.cause, fault.norm, fault.norm_before)
            }
            None if self.is_finite() => return Ok(None),
            None => (self.step, Cause::Parameters, None, false),
        };
        Ok(Some(Divergence {
            step,
            epoch: (step - 1) / self.steps_per_epoch().max(1) + 1,
            cause,
            learning_rate: self.schedule()?.learning_rate(step - 1)?,
            gradient_norm: norm,
            norm_before,
        }))
    }
}

impl Trainer {
    /// Factor on the learning rate with which `training.on_divergence` lets the training return to
    /// an earlier state; `None` if it is to end.
    ///
    /// # Errors
    /// [`Error::Component`]: the recovery fails.
    pub fn recovery(&self) -> Result<Option<f64>> {
        self.recovery.factor(&self.history.restores)
    }

    /// Returns to an earlier state after `divergence`, from where training goes on with `factor`
    /// times the learning rate. In a group rank 0 does so: the others begin with its state.
    ///
    /// # Errors
    /// Those of [`restore`](Self::restore).
    pub fn return_to(&mut self, state: State, divergence: &Divergence, factor: f64) -> Result<()> {
        let mut restores = self.history.restores.clone();
        restores.push(Restore { diverged: divergence.step, step: state.step, factor });
        self.restore(state)?;
        self.history.restores = restores;
        Ok(())
    }
}

//! The return of a training that has diverged to an earlier state of its run.
//!
//! States of the course that is given up are removed before the return is written down, so that a
//! run that is killed in between diverges again at the same step, and returns in the same way.

use super::Run;
use super::checkpoints::BEST;
use crate::error::{Error, Result};
use crate::io::write_atomically;
use crate::train::{Divergence, State, Trainer};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Number of planned states beyond a divergence after which another one is a new one.
const PASSED: usize = 2;

impl Run {
    /// Saves the state before the first step of a training that may return to it.
    pub(super) fn save_start(&self, trainer: &Trainer) -> Result<()> {
        if trainer.step() == 0 && trainer.total_steps() > 0 && trainer.recovery()?.is_some() {
            self.save_checkpoint(trainer)?;
        }
        Ok(())
    }

    /// Returns to the last planned checkpoint, if `training.on_divergence` says so.
    ///
    /// # Errors
    /// The divergence, if the training is to end with it or no such checkpoint is left.
    pub(super) fn recover(&self, trainer: &mut Trainer, divergence: &Divergence) -> Result<()> {
        self.must_be_there()?;
        let Some(factor) = trainer.recovery()? else {
            return Err(self.diverged(trainer, divergence));
        };
        let error = self.diverged(trainer, divergence);
        let Some(state) = self.last_planned(trainer, divergence.step)? else { return Err(error) };
        let step = state.step;
        self.restore_best(step)?;
        trainer.return_to(state, divergence, factor)?;
        self.save_checkpoint(trainer)?;
        log::warn!(
            "{divergence}; the training returns to step {step} and goes on with {factor} times the \
             learning rate"
        );
        Ok(())
    }

    /// The error of a training that ends with a divergence.
    pub(super) fn diverged(&self, trainer: &Trainer, divergence: &Divergence) -> Error {
        let states = self.checkpoints().unwrap_or_default();
        let last = states.iter().rev().find(|(step, _)| *step < divergence.step);
        let checkpoint = match last {
            Some((step, path)) => {
                format!("the last checkpoint before it is that of step {step}: {}", path.display())
            }
            None => "there is no checkpoint before it".to_owned(),
        };
        divergence.error(&trainer.history().restores, Some(&checkpoint))
    }

    /// The last planned state before the step `diverged`. If the training has returned before and
    /// has got hardly further, its last state may be beyond help although it is finite: it is then
    /// the last one before that to which it returned. Later ones are removed, and those that cannot
    /// be read.
    fn last_planned(&self, trainer: &Trainer, diverged: u64) -> Result<Option<State>> {
        // What a killed process may have left would be another choice.
        self.remove_old_states(trainer)?;
        let all = self.checkpoints()?;
        let mut planned: Vec<u64> = all.iter().map(|(step, _)| *step).collect();
        planned.retain(|step| *step < diverged && self.is_planned(trainer, *step));
        let passed = |from: u64| planned.iter().filter(|step| **step >= from).count();
        if let (Some(last), Some(first)) =
            (trainer.history().restores.last(), planned.first().copied())
            && passed(last.diverged) < PASSED
        {
            planned.retain(|step| *step < last.step || *step == first);
        }
        for (step, path) in all.into_iter().rev() {
            if planned.contains(&step) {
                match State::load(&path) {
                    Ok(state) => return Ok(Some(state)),
                    Err(e) => log::warn!("a checkpoint cannot be used: {e}"),
                }
            }
            self.remove_best_at(step)?;
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
        Ok(None)
    }

    /// States, of those at `steps`, to which the training may return: its first, and the last ones
    /// that are planned.
    pub(super) fn needed(&self, trainer: &Trainer, steps: &[u64]) -> Result<Vec<u64>> {
        if trainer.recovery()?.is_none() {
            return Ok(Vec::new());
        }
        let keep = trainer.experiment().checkpoint.keep.max(2);
        let planned = steps.iter().copied().filter(|step| self.is_planned(trainer, *step));
        let mut needed: Vec<u64> = planned.collect();
        if needed.len() > keep {
            needed.drain(1..needed.len() - keep);
        }
        Ok(needed)
    }

    /// True if the state at `step` is saved at the same step however often the run is stopped.
    fn is_planned(&self, trainer: &Trainer, step: u64) -> bool {
        trainer.is_planned(step) || self.origin()["step"] == step
    }

    /// Name of the best parameters at the time of a saved state.
    fn best_at(&self, step: u64) -> PathBuf {
        self.file("checkpoints").join(format!("best_at_{step:09}.safetensors"))
    }

    /// Keeps the best parameters so far beside the state of a training that may return to it.
    pub(super) fn keep_best_at(&self, trainer: &Trainer) -> Result<()> {
        let best = self.file(BEST);
        match trainer.recovery()?.is_some() && best.is_file() {
            true => copy(&best, &self.best_at(trainer.step())),
            false => Ok(()),
        }
    }

    /// Removes the best parameters that were kept beside the state at `step`.
    pub(super) fn remove_best_at(&self, step: u64) -> Result<()> {
        remove(&self.best_at(step))
    }

    /// Makes the best parameters those of the time of the state at `step`.
    fn restore_best(&self, step: u64) -> Result<()> {
        let kept = self.best_at(step);
        match kept.is_file() {
            true => copy(&kept, &self.file(BEST)),
            false => remove(&self.file(BEST)),
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(Error::io("read", from))?;
    write_atomically(to, |file| std::io::copy(&mut source, file).map(|_| ()))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}

//! Observers of a run's training: progress, trackers, best parameters and checkpoints.

use super::best::Best;
use super::trackers::Trackers;
use super::{Run, RunObserver};
use crate::config::Every;
use crate::error::Result;
use crate::train::{Control, Event, Trainer};
use std::time::{Duration, Instant};

/// An observer of the steps of training.
trait Observer {
    fn see(&mut self, trainer: &mut Trainer, event: &Event<'_>) -> Result<Control>;
}

/// Observers of a run, in the order in which they are called.
pub(super) struct Observers<'r>(Vec<Box<dyn Observer + 'r>>);

impl<'r> Observers<'r> {
    /// The observers that the experiment of `trainer` configures.
    pub fn of(
        run: &'r Run,
        trainer: &Trainer,
        watch: &'r mut dyn RunObserver,
        trackers: &'r mut Trackers,
    ) -> Result<Self> {
        let due = match trainer.experiment().checkpoint.every {
            Every::Steps(n) => Due::Steps(n),
            Every::Epochs(n) => Due::Steps(n.saturating_mul(trainer.steps_per_epoch())),
            Every::Seconds(n) => Due::Time { every: Duration::from_secs(n), last: Instant::now() },
        };
        let mut all: Vec<Box<dyn Observer + 'r>> =
            vec![Box::new(Shown(watch)), Box::new(Recorded(trackers))];
        if let Some(best) = Best::of(run, trainer.experiment())? {
            all.push(Box::new(best));
        }
        all.push(Box::new(Checkpoints { run, due }));
        Ok(Self(all))
    }

    /// Calls all observers after a step; any of them can stop the training.
    pub fn see(&mut self, trainer: &mut Trainer, event: &Event<'_>) -> Result<Control> {
        let mut control = Control::Continue;
        for observer in &mut self.0 {
            if observer.see(trainer, event)? == Control::Stop {
                control = Control::Stop;
            }
        }
        Ok(control)
    }
}

/// Shows progress, and stops on the user's request.
struct Shown<'r>(&'r mut dyn RunObserver);

impl Observer for Shown<'_> {
    fn see(&mut self, _: &mut Trainer, event: &Event<'_>) -> Result<Control> {
        self.0.step(event);
        Ok(if self.0.stop() { Control::Stop } else { Control::Continue })
    }
}

/// Hands each epoch to the trackers.
struct Recorded<'r>(&'r mut Trackers);

impl Observer for Recorded<'_> {
    fn see(&mut self, _: &mut Trainer, event: &Event<'_>) -> Result<Control> {
        if let Some(epoch) = event.epoch {
            self.0.epoch(epoch);
        }
        Ok(Control::Continue)
    }
}

impl Observer for Best<'_> {
    fn see(&mut self, trainer: &mut Trainer, event: &Event<'_>) -> Result<Control> {
        Best::see(self, trainer, event)?;
        Ok(Control::Continue)
    }
}

/// When the next checkpoint is due.
enum Due {
    /// After every so many steps.
    Steps(u64),
    /// So long after the last.
    Time { every: Duration, last: Instant },
}

impl Due {
    /// `true` if a checkpoint is due after `step` steps at the time `now`, from which on the next
    /// one is timed.
    fn is(&mut self, step: u64, now: Instant) -> bool {
        match self {
            Self::Steps(every) => step.is_multiple_of(*every),
            Self::Time { every, last } => {
                let is = now.duration_since(*last) >= *every;
                if is {
                    *last = now;
                }
                is
            }
        }
    }
}

/// Saves the state of training from time to time.
struct Checkpoints<'r> {
    run: &'r Run,
    due: Due,
}

impl Observer for Checkpoints<'_> {
    fn see(&mut self, trainer: &mut Trainer, event: &Event<'_>) -> Result<Control> {
        // The last state is saved when the run has ended.
        if self.due.is(event.step, Instant::now()) && event.step < event.total {
            self.run.save_checkpoint(trainer)?;
        }
        Ok(Control::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_by_steps_or_by_the_time_since_the_last() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut due = Due::Steps(3);
        assert_eq!(
            [1, 2, 3, 6, 7].map(|step| due.is(step, start)),
            [false, false, true, true, false]
        );
        let mut due = Due::Time { every: Duration::from_secs(10), last: start };
        assert_eq!(
            [9, 10, 19, 25, 34, 35].map(|seconds| due.is(1, after(seconds))),
            [false, true, false, true, false, true]
        );
    }
}

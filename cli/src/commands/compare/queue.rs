//! The runs that a `compare` has to see complete. Other processes may work on the same ones: each
//! is done by whoever takes it first, and one whose process ends before is taken over.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use triflow::compare::{self, Job, Plan, State, Unfinished};
use triflow::lock::Holder;

/// Runs that are not complete as far as is known.
#[derive(Debug)]
pub(super) struct Queue<'p> {
    plan: &'p Plan,
    folder: &'p Path,
    open: Mutex<Vec<Open<'p>>>,
}

#[derive(Debug)]
struct Open<'p> {
    job: Job<'p>,
    /// The process that was at work on it when it was looked at.
    elsewhere: Option<Elsewhere>,
}

/// Another process; `None` if it is not known.
type Elsewhere = Option<Holder>;

/// The next action of a process on its share.
#[derive(Debug)]
pub(super) enum Next<'p> {
    /// This run is free.
    Do(Job<'p>),
    /// Another process has completed this run.
    Done(Job<'p>),
    /// The attempt of another process at this run has failed.
    Failed(Job<'p>, String),
    /// Other processes are at work on all that is left.
    Wait,
    /// Nothing is left.
    End,
}

impl<'p> Queue<'p> {
    pub fn of(plan: &'p Plan, folder: &'p Path, left: &[Unfinished<'p>]) -> Self {
        let open = left.iter().map(|left| Open { job: left.job, elsewhere: None }).collect();
        Self { plan, folder, open: Mutex::new(open) }
    }

    pub fn next(&self) -> Next<'p> {
        let mut open = self.open();
        let mut i = 0;
        while i < open.len() {
            match compare::state(self.plan, self.folder, &open[i].job) {
                State::InProgress(holder) => {
                    open[i].elsewhere = Some(holder);
                    i += 1;
                }
                State::Complete => return Next::Done(open.remove(i).job),
                // An older failure is tried again.
                State::Failed(why) if open[i].elsewhere.is_some() => {
                    return Next::Failed(open.remove(i).job, why);
                }
                State::Failed(_) | State::Missing => return Next::Do(open.remove(i).job),
            }
        }
        if open.is_empty() { Next::End } else { Next::Wait }
    }

    /// Puts a run back that another process took first.
    pub fn put_back(&self, job: Job<'p>) {
        self.open().push(Open { job, elsewhere: Some(None) });
    }

    /// The runs that are waited for, each with the process at work on it, as texts.
    pub fn waiting(&self) -> Vec<String> {
        let open = self.open();
        let each = open.iter().map(|open| match open.elsewhere.iter().flatten().next() {
            Some(holder) => format!("{} ({holder})", open.job.name()),
            None => open.job.name(),
        });
        each.collect()
    }

    fn open(&self) -> MutexGuard<'_, Vec<Open<'p>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

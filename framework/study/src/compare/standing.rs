//! States of the jobs of a comparison: complete, in progress, failed or missing.

use super::job::JobFolder;
use super::plan::{Job, Plan, Planned};
use super::words::NAMES;
use crate::lock::Holder;
use crate::plot::style::counted;
use std::path::Path;

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is trained and measured.
    Complete,
    /// A process is at work on it; `None` if its lock does not say which.
    InProgress(Option<Holder>),
    /// Its last attempt failed, with this error, and no process tries again.
    Failed(String),
    /// It is not begun, was stopped, or has lost files.
    Missing,
}

/// The states of all jobs of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Number of complete jobs.
    pub complete: usize,
    /// Names of the jobs in progress, each with the process at work.
    pub in_progress: Vec<(String, Option<Holder>)>,
    /// Names of the jobs that failed.
    pub failed: Vec<String>,
    /// Names of the jobs that are missing.
    pub missing: Vec<String>,
}

impl Job<'_> {
    /// Name for readers, such as `ct_cosine-1f2e3d4c, seed 42`.
    pub fn name(&self) -> String {
        format!("{}, seed {}", self.unit.id, self.seed)
    }
}

/// The present state of a job of `plan` in the comparison's folder.
pub fn state(plan: &Plan, comparison: &Path, job: &Job<'_>) -> State {
    let own = |cell: &&Planned| cell.unit.as_deref() == Some(&*job.unit.id);
    state_with(plan, &plan.cells.iter().filter(own).collect::<Vec<_>>(), &job.folder(comparison))
}

/// The state of the job in `folder`, whose model the `cells` sample from.
fn state_with(plan: &Plan, cells: &[&Planned], folder: &Path) -> State {
    let here = JobFolder { folder: folder.to_owned() };
    // The process first: what it has completed when it ends is seen after that.
    let holder = here.holder();
    if here.lacks(plan, cells).is_none() {
        return State::Complete;
    }
    match (holder, here.failure()) {
        (Some(holder), _) => State::InProgress(holder),
        (None, Some(why)) => State::Failed(why),
        (None, None) => State::Missing,
    }
}

/// The present states of all jobs of `plan` in the comparison's folder.
pub fn standing(plan: &Plan, comparison: &Path) -> Standing {
    let mut standing = Standing::default();
    let cells = plan.cells_by_unit();
    for job in plan.jobs() {
        let cells = cells.get(job.unit.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        match state_with(plan, cells, &job.folder(comparison)) {
            State::Complete => standing.complete += 1,
            State::InProgress(holder) => standing.in_progress.push((job.name(), holder)),
            State::Failed(_) => standing.failed.push(job.name()),
            State::Missing => standing.missing.push(job.name()),
        }
    }
    standing
}

/// Keeps the reason why an attempt at a job failed, unless the attempt has left one itself.
pub fn fail(job: &Job<'_>, comparison: &Path, why: &str) {
    let here = JobFolder { folder: job.folder(comparison) };
    if here.failure().is_none() {
        here.fail(why);
    }
}

impl Standing {
    /// `true` if every job is complete.
    pub fn is_complete(&self) -> bool {
        self.in_progress.is_empty() && self.failed.is_empty() && self.missing.is_empty()
    }

    /// Sentences on what is complete, in progress, failed and missing; none if all is complete.
    pub fn sentences(&self) -> Vec<String> {
        if self.is_complete() {
            return Vec::new();
        }
        let all = self.complete + self.in_progress.len() + self.failed.len() + self.missing.len();
        let mut said = vec![format!("{} of {} complete", self.complete, counted(all, "run"))];
        let in_progress = self.in_progress.iter().map(|(name, holder)| match holder {
            Some(holder) => format!("{name} ({holder})"),
            None => name.clone(),
        });
        let each: [(Vec<String>, &str); 3] = [
            (in_progress.collect(), "in progress"),
            (self.failed.clone(), "failed"),
            (self.missing.clone(), "missing"),
        ];
        for (names, what) in each.into_iter().filter(|(names, _)| !names.is_empty()) {
            let more = match names.len().saturating_sub(NAMES) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            let first: Vec<_> = names.iter().take(NAMES).map(String::as_str).collect();
            said.push(format!("{} {what}: {}{more}", names.len(), first.join("; ")));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_names_what_is_not_complete() {
        let mut standing = Standing { complete: 3, ..Standing::default() };
        assert!(standing.is_complete() && standing.sentences().is_empty());
        standing.in_progress = vec![("ct, seed 1".to_owned(), None)];
        standing.missing = (0..10).map(|i| format!("ct, seed {i}")).collect();
        let missing: Vec<_> = (0..8).map(|i| format!("ct, seed {i}")).collect();
        let expected = [
            "3 of 14 runs complete".to_owned(),
            "1 in progress: ct, seed 1".to_owned(),
            format!("10 missing: {}; and 2 more", missing.join("; ")),
        ];
        assert_eq!(standing.sentences(), expected);
    }
}

//! Models of a comparison that cannot be built, which are found before its first run.

use super::job::JobFolder;
use super::plan::{Plan, Unit, with_seed};
use super::work::Unfinished;
use crate::device;
use crate::error::{Error, Result};
use crate::run::prepare;
use std::collections::HashSet;
use std::path::Path;

/// Models of the jobs `left` that cannot be built, each with the reason. A model is built once, on
/// the CPU and with the first seed of its jobs, unless one of its runs has begun, which shows that
/// it can be.
pub fn unbuildable<'p>(
    plan: &'p Plan,
    comparison: &Path,
    left: &[Unfinished<'p>],
) -> Vec<(&'p Unit, Error)> {
    let begun = |unit: &Unit| {
        plan.jobs().iter().any(|job| {
            job.unit.id == unit.id && job.folder(comparison).join("config.yaml").is_file()
        })
    };
    let mut seen = HashSet::new();
    let first = left.iter().filter(|left| seen.insert(left.job.unit.id.as_str()));
    first
        .filter(|left| !begun(left.job.unit))
        .filter_map(|left| {
            let unit = left.job.unit;
            build(unit, left.job.seed).err().map(|why| (unit, why))
        })
        .collect()
}

/// Keeps `why` as the reason for which the jobs `left` of `unit` failed.
pub fn rule_out(unit: &Unit, why: &Error, comparison: &Path, left: &[Unfinished<'_>]) {
    for job in left.iter().map(|left| left.job).filter(|job| job.unit.id == unit.id) {
        JobFolder { folder: job.folder(comparison) }.fail(&why.to_string());
    }
}

fn build(unit: &Unit, seed: u64) -> Result<()> {
    let mut experiment = with_seed(&unit.experiment, seed)?;
    device::choose(&experiment.device)?;
    // This process trains nothing, and leaves a GPU's memory to those that do.
    "cpu".clone_into(&mut experiment.device);
    prepare(experiment, Path::new("")).map(|_| ())
}

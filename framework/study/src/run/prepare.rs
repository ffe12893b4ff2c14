use super::best::check_metrics;
use super::checkpoints;
use crate::config::Experiment;
use crate::error::Result;
use crate::train::Trainer;
use std::path::Path;

/// The trainer of an experiment at its start, after all checks that need no training: settings,
/// data, the model, and the metrics. Relative data paths are relative to `base`.
///
/// # Errors
/// If the experiment cannot be built, its data cannot be read, or a metric cannot be measured.
pub fn prepare(experiment: Experiment, base: &Path) -> Result<Trainer> {
    let trainer = checkpoints::begin(experiment, base)?;
    check_metrics(&trainer)?;
    Ok(trainer)
}

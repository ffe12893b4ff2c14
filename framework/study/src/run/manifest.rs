//! The file `manifest.json`: versions, machine and cost of a finished run.

use super::Run;
use super::finish::stopped;
use crate::error::Result;
use crate::plugin;
use crate::train::Trainer;
use serde_json::{Value, json};

/// Steps and wall-clock seconds of training in this process, which began at `first_step`.
pub(super) struct Pace {
    pub first_step: u64,
    pub steps: u64,
    pub seconds: f64,
}

/// The manifest of a finished run. `continues` names the run that this one continues and the step
/// at which it does, null if none. `stopped` tells when and why `training.stopping` ended the
/// training before its planned steps, null if it did not. `restores` are the returns of a training
/// that had diverged. Times are in seconds,
/// `examples_per_second` in training rows a second. `group` has the number of processes that
/// trained together and the time that rank 0 was in their sums, null for one process.
pub(super) fn manifest(
    run: &Run,
    trainer: &Trainer,
    pace: &Pace,
    program: Value,
    not_drawn: Vec<String>,
) -> Result<Value> {
    let group = trainer.group();
    let rows = trainer.data().train.len() as f64 / trainer.steps_per_epoch() as f64;
    Ok(json!({
        "triflow": env!("CARGO_PKG_VERSION"),
        "program": program,
        "plugins": trainer.experiment().libraries(),
        "built_with": { "tch": plugin::TCH_VERSION, "libtorch": plugin::LIBTORCH_VERSION },
        "device": format!("{:?}", trainer.trained().device()),
        "threads": trainer.experiment().threads,
        "parameters": trainer.trained().parameter_count(),
        "data": trainer.data().summary,
        "finished": chrono::Local::now().to_rfc3339(),
        "continues": run.origin(),
        "steps": trainer.step(),
        "planned_steps": trainer.total_steps(),
        "stopped": stopped(trainer)?,
        "restores": trainer.history().restores,
        "steps_before_resuming": pace.first_step,
        "training_seconds": pace.seconds,
        "pictures_not_drawn": not_drawn,
        "pairing": trainer.pairing_cost(),
        "group": (!group.is_alone()).then(|| {
            json!({ "ranks": group.size(), "seconds_in_sums": group.time_in_sums().as_secs_f64() })
        }),
        "examples_per_second": rows * pace.steps as f64 / pace.seconds,
        "command": std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>(),
    }))
}

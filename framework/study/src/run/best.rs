//! The weights of the best epoch, by a loss term or a metric.
//!
//! The epoch and the value of a metric are in the metadata of the file of the weights, so that a
//! resumed training compares with the same.

use super::Run;
use super::checkpoints::BEST;
use crate::config::{Experiment, KeepBest};
use crate::error::{Error, Result};
use crate::io::safetensors;
use crate::measure::{self, Catalogue, Options};
use crate::metrics::Better;
use crate::train::{Event, Trainer};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The key of a [`Record`] in the metadata.
const KEY: &str = "best";

/// The best epoch so far, and the value of its metric.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Record {
    epoch: u64,
    value: f64,
}

/// Checks that the metrics of an experiment can be built, and that its best weights can be told by
/// `checkpoint.keep_best`.
///
/// # Errors
/// [`Error::Config`]: a metric cannot be built, there is no such metric, neither more nor less of
/// it is better, it is not measured of such a model, or there are no validation rows.
pub fn check_metrics(trainer: &Trainer) -> Result<()> {
    let model = trainer.trained();
    let catalogue = Catalogue::of_model(model)?;
    let checkpoint = &trainer.experiment().checkpoint;
    let Some(KeepBest::Metric(name)) = &checkpoint.keep_best else { return Ok(()) };
    let at = |e: Error| e.under("checkpoint.keep_best");
    let refuse = |message: String| Err(at(Error::config("", message)));
    let metric = catalogue.named(name).map_err(at)?;
    let goal = measure::goal(model);
    if metric.info().better == Better::None {
        return refuse(format!("neither more nor less of `{name}` is better"));
    }
    if !metric.info().goals.contains(&goal) {
        return refuse(format!("`{name}` is no metric of {}", goal.name()));
    }
    if metric.is_of_likelihood() {
        return refuse(format!(
            "`{name}` takes a likelihood, which is not measured while training"
        ));
    }
    if trainer.data().val.is_empty() {
        let e = Error::config("", "needs validation rows, and there are none");
        return Err(at(e.help("hold some back, as `data: { split: { val: 0.1 } }`")));
    }
    Ok(())
}

/// The value of the metric in `checkpoint.keep_best` after the epoch that ended with `event`, on
/// the validation rows with the same noise each time. `None` if none is due, or it is not defined.
/// All processes of a group measure; rank 0 has the value.
pub(super) fn measured(trainer: &mut Trainer, event: &Event<'_>) -> Result<Option<f64>> {
    let checkpoint = trainer.experiment().checkpoint.clone();
    let (Some(KeepBest::Metric(name)), Some(epoch)) = (checkpoint.keep_best, event.epoch) else {
        return Ok(None);
    };
    if !epoch.epoch.is_multiple_of(checkpoint.measure_every) && event.step < event.total {
        return Ok(None);
    }
    let group = trainer.group().clone();
    let options = Options { draws: 1, only: Some(name.clone()), group, ..Options::default() };
    let (model, data) = trainer.trained_mut();
    let held = data.validation(measure::EXACT_POINTS)?;
    let evaluation = measure::evaluate(model, &held, &options)?;
    if let Some((_, why)) = evaluation.failed.first() {
        log::warn!("`{name}` cannot be measured after epoch {}: {why}", epoch.epoch);
    }
    Ok(evaluation.scores.get(&name).map(|score| score.mean))
}

impl Run {
    /// Epoch whose weights are kept as the best by a metric; `None` if none are.
    pub fn best_epoch(&self) -> Option<u64> {
        record(&self.file(BEST)).map(|record| record.epoch)
    }
}

fn record(file: &Path) -> Option<Record> {
    let read = || safetensors::read_safetensors(file).ok();
    let file = file.is_file().then(read).flatten()?;
    file.metadata.get(KEY).and_then(|text| serde_json::from_str(text).ok())
}

/// Saves the parameters of the best epoch.
pub(super) struct Best<'r> {
    run: &'r Run,
    by: KeepBest,
    /// True if more of the metric is better.
    more: bool,
    record: Option<Record>,
}

impl<'r> Best<'r> {
    /// `None` if the experiment keeps none.
    pub fn of(run: &'r Run, experiment: &Experiment) -> Result<Option<Self>> {
        let Some(by) = experiment.checkpoint.keep_best.clone() else { return Ok(None) };
        let (more, record) = match &by {
            KeepBest::Loss(_) => (false, None),
            KeepBest::Metric(name) => {
                let better = Catalogue::of(experiment)?.named(name)?.info().better;
                (better == Better::More, record(&run.file(BEST)))
            }
        };
        Ok(Some(Self { run, by, more, record }))
    }

    /// Saves the parameters if the epoch that has ended is the best so far.
    pub fn see(&mut self, trainer: &mut Trainer, event: &Event<'_>) -> Result<()> {
        let Some(ended) = event.epoch else { return Ok(()) };
        match &self.by {
            KeepBest::Loss(term) => {
                let best = trainer.history().best(*term);
                if best.is_some_and(|best| best.epoch == ended.epoch) {
                    self.run.save_best(trainer, &[])?;
                }
            }
            KeepBest::Metric(name) => {
                let Some(value) = measured(trainer, event)? else { return Ok(()) };
                // A training that goes on from before the best epoch comes to it again.
                let is_better = |record: Record| match self.more {
                    true => value > record.value,
                    false => value < record.value,
                };
                if self.record.is_none_or(is_better) {
                    let record = Record { epoch: ended.epoch, value };
                    log::debug!(
                        "the best `{name}` so far, {value}, is that of epoch {}",
                        ended.epoch
                    );
                    let text = serde_json::to_string(&record)
                        .map_err(|e| Error::runtime(e.to_string()))?;
                    self.run.save_best(trainer, &[(KEY, text)])?;
                    self.record = Some(record);
                }
            }
        }
        Ok(())
    }
}

//! Further training of a finished run, in a run folder of its own.

use super::checkpoints::BEST;
use super::finish::finish;
use super::lock::Lock;
use super::{Run, RunObserver};
use crate::config::{Comparison, Experiment};
use crate::error::{Error, Result, quoted};
use crate::train::{State, Trainer};
use serde_json::{Value, json};

/// The file with the run that another one continues.
const CONTINUES: &str = "continues.json";

/// Keys of the experiment in which the further training may differ: they change neither the model
/// nor its data, nor which rows a step takes.
const FREE: [&str; 16] = [
    "training.epochs",
    "training.steps",
    "training.optimizer",
    "training.lr_schedule",
    "training.stopping",
    "training.on_divergence",
    "training.clip_grad_norm",
    "training.dropout_epochs",
    "checkpoint",
    "sampling",
    "metrics",
    "tracking",
    "comparison",
    "device",
    "threads",
    "output_dir",
];

/// Trains a finished run further under `experiment`, its own with more epochs or steps, into a new
/// run folder.
///
/// Parameters, their running mean, the optimizer's state, the history and the order of the rows
/// continue: with a constant learning rate the result is that of a run with as many epochs from
/// the start. The learning-rate schedule is evaluated with the new number of planned steps from the
/// present step on. The finished run stays as it is.
///
/// # Errors
/// If the run is not finished or has lost the state at its end, if `experiment` plans no further
/// step or differs in more than the training's options, if the data have changed, and the errors of
/// [`train`](super::train).
pub fn extend(run: &Run, experiment: Experiment, watch: &mut dyn RunObserver) -> Result<Run> {
    let shown = quoted(&run.path);
    if !run.is_finished() {
        let help = format!("`triflow resume --run {shown}` finishes it");
        return Err(Error::config("", format!("{} is not finished", run.path.display())).help(help));
    }
    let experiment = Experiment { comparison: Comparison::default(), ..experiment };
    check_kept(&run.experiment()?, &experiment)?;
    run.compare_plugins(&experiment)?;
    let mut state = run.end_state()?;
    let (step, epochs) = (state.step, state.history.epochs.len());
    let by_steps = experiment.training.steps.is_some();
    let trainer = Trainer::to_restore(experiment, &run.path);
    let mut trainer = trainer.map_err(|e| run.moved(e))?;
    run.check_data(trainer.data())?;
    if trainer.total_steps() <= step {
        let (key, n, unit) = match by_steps {
            true => ("training.steps", step, "step"),
            false => ("training.epochs", epochs as u64, "epoch"),
        };
        let plural = if n == 1 { "" } else { "s" };
        let message = format!("needs more than the {n} {unit}{plural} that the run has taken");
        return Err(Error::config(key, message));
    }
    // An epoch that the end of the run cut short goes on.
    if !step.is_multiple_of(trainer.steps_per_epoch()) {
        state.history.epochs.pop();
    }
    trainer.restore(state).map_err(|e| Error::config("training", e.to_string()))?;
    if let Some(reason) = trainer.stopped()? {
        let message = format!("ends the training before another step: {reason}");
        return Err(Error::config("training.stopping", message)
            .help("`--set training.stopping=never` or more patience lets it go on"));
    }
    super::trackers::check(trainer.experiment())?;
    let new = begin(run, &trainer, (step, epochs))?;
    let _lock = Lock::take(&new.path)?;
    finish(new, trainer, watch, true)
}

/// Makes the folder of the further training. Its configuration, which makes it a run, is written
/// last: a run without the state that it begins with would start from nothing.
fn begin(run: &Run, trainer: &Trainer, (step, epochs): (u64, usize)) -> Result<Run> {
    let new = Run::create(trainer.experiment())?;
    let origin = std::path::absolute(&run.path).map_err(Error::io("find", &run.path))?;
    new.write_json(CONTINUES, &json!({ "run": origin, "step": step, "epoch": epochs }))?;
    new.save_state(&trainer.state()?)?;
    let best = run.file(BEST);
    if trainer.experiment().checkpoint.keep_best.is_some() && best.is_file() {
        std::fs::copy(&best, new.file(BEST)).map_err(Error::io("copy", &best))?;
    }
    new.keep_best_at(trainer)?;
    new.begin(trainer)?;
    log::info!(
        "continues {} at step {step} of {}; the learning-rate schedule is that of {} steps from here on",
        run.path.display(),
        trainer.total_steps(),
        trainer.total_steps()
    );
    Ok(new)
}

/// Checks that two experiments differ in nothing but the keys that further training may change.
fn check_kept(before: &Experiment, now: &Experiment) -> Result<()> {
    let value = |e: &Experiment| serde_json::to_value(e).map_err(|e| Error::runtime(e.to_string()));
    let (before, now) = (value(before)?, value(now)?);
    let Some(key) = difference(&before, &now, "") else {
        let name = |e: &Value| e["training"]["optimizer"]["type"].clone();
        return match name(&before) == name(&now) {
            true => Ok(()),
            false => {
                Err(Error::config("training.optimizer", "another optimizer has no state here")
                    .help(format!("keep {}, with other parameters if you like", name(&before))))
            }
        };
    };
    let free = FREE.map(|key| format!("`{key}`")).join(", ");
    Err(Error::config(&key, format!("a run that is trained further keeps its `{key}`"))
        .help(format!("these may change: {free}")))
}

/// The first key, below `key`, that is not free and at which two values differ.
fn difference(before: &Value, now: &Value, key: &str) -> Option<String> {
    if FREE.contains(&key) || before == now {
        return None;
    }
    let (Value::Object(one), Value::Object(other)) = (before, now) else {
        return Some(key.to_owned());
    };
    // Components are compared as a whole; `training` is a group of keys of its own.
    if !key.is_empty() && key != "training" {
        return Some(key.to_owned());
    }
    one.keys().chain(other.keys()).find_map(|name| {
        let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        difference(&before[name], &now[name], &inner)
    })
}

impl Run {
    /// The run that this one continues, with step and epoch; null if it began by itself.
    pub(super) fn origin(&self) -> Value {
        let text = std::fs::read_to_string(self.file(CONTINUES));
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// The state of training at the end of this finished run.
    fn end_state(&self) -> Result<State> {
        let end = self.history()?.epochs.last().map_or(0, |epoch| epoch.step);
        let last = self.checkpoints()?.pop().filter(|(step, _)| *step == end);
        let Some((_, path)) = last else {
            let message = format!(
                "holds no state of step {end}, the end of the run: without the optimizer's state it \
                 cannot be trained further"
            );
            return Err(Error::data(&self.file("checkpoints"), message));
        };
        State::load(&path)
    }
}

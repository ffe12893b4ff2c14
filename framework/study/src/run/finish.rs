//! The course of a run from its trainer to `manifest.json`.

use super::best;
use super::checkpoints::LAST;
use super::manifest::{Pace, manifest};
use super::observers::Observers;
use super::trackers::Trackers;
use super::{Run, RunObserver};
use crate::error::{Error, Result};
use crate::measure::{self, Evaluation, Options};
use crate::report;
use crate::train::{Control, Outcome, Trainer};
use std::time::Instant;

/// Trains to the end and writes the run's files; `report` adds metrics and pictures. The other
/// processes of a group train and draw samples with rank 0, and write nothing.
pub(super) fn finish(
    run: Run,
    mut trainer: Trainer,
    watch: &mut dyn RunObserver,
    report: bool,
) -> Result<Run> {
    if !trainer.group().is_first() {
        return assist(run, trainer, watch, report);
    }
    let _threads = trainer.trained().threads();
    let began = Instant::now();
    let first_step = trainer.step();
    let next_epoch = trainer.history().epochs.last().map(|e| e.epoch as i64 + 1);
    watch.start(&trainer, &run);
    let mut trackers = Trackers::start(&run, &trainer, next_epoch)?;
    run.save_start(&trainer)?;
    let mut steps = 0;
    let done = loop {
        let outcome = {
            let mut observers = Observers::of(&run, &trainer, watch, &mut trackers)?;
            trainer.train(&mut |trainer, event| {
                steps += 1;
                observers.see(trainer, event)
            })?
        };
        match outcome {
            Outcome::Ended => break true,
            Outcome::Stopped => break false,
            Outcome::Diverged(divergence) => run.recover(&mut trainer, &divergence)?,
        }
        trackers.go_back(1 + trainer.history().epochs.last().map_or(0, |e| e.epoch as i64));
    };
    let pace = Pace { first_step, steps, seconds: began.elapsed().as_secs_f64() };
    // Also at the end: a run that is trained further begins with this state.
    if pace.steps > 0 {
        run.save_checkpoint(&trainer)?;
    } else {
        // A process that was killed may have saved the last state and not removed the oldest.
        run.remove_old_states(&trainer)?;
    }
    if let Some(why) = stopped(&trainer)? {
        log::info!("training stopped {why}");
    }
    if let Some(cost) = trainer.pairing_cost() {
        log::info!(
            "paired {} blocks of {} rows in {:.1} s, for which training waited {:.1} of its {:.1} s",
            cost.blocks,
            cost.rows,
            cost.seconds,
            cost.waited_seconds,
            pace.seconds
        );
    }
    run.must_be_there()?;
    run.write("history.csv", &trainer.history().to_csv())?;
    run.write_json("history.json", &trainer.history().to_json())?;
    if !done {
        trackers.interrupt();
        return Err(Error::Interrupted { run: run.path });
    }
    trainer.trained().save(&run.file(LAST))?;
    let mut not_drawn = Vec::new();
    if report {
        hint_at_steps(&trainer);
        watch.note("measuring and drawing");
        not_drawn = measure(&run, &mut trainer, watch)?;
    }
    trackers.finish(&run, &trainer)?;
    watch.end();
    run.must_be_there()?;
    // Written last, as its presence marks the run as finished.
    run.write_json("manifest.json", &manifest(&run, &trainer, &pace, watch.program(), not_drawn)?)?;
    Ok(run)
}

/// Takes the part of a process that is not the first.
fn assist(
    run: Run,
    mut trainer: Trainer,
    watch: &mut dyn RunObserver,
    report: bool,
) -> Result<Run> {
    let _threads = trainer.trained().threads();
    watch.start(&trainer, &run);
    let done = loop {
        let outcome = trainer.train(&mut |trainer, event| {
            watch.step(event);
            best::measured(trainer, event)?;
            Ok(if watch.stop() { Control::Stop } else { Control::Continue })
        })?;
        match outcome {
            Outcome::Ended => break true,
            Outcome::Stopped => break false,
            // Rank 0 returns, and this process begins with its state.
            Outcome::Diverged(_) if trainer.recovery()?.is_some() => {}
            Outcome::Diverged(divergence) => {
                return Err(divergence.error(&trainer.history().restores, None));
            }
        }
    };
    if !done {
        return Err(Error::Interrupted { run: run.path });
    }
    if report {
        watch.note("measuring");
        evaluate(&mut trainer)?;
    }
    watch.end();
    Ok(run)
}

/// Measures the model on the held-out rows.
fn evaluate(trainer: &mut Trainer) -> Result<Evaluation> {
    let options = Options { group: trainer.group().clone(), ..Options::default() };
    let (model, data) = trainer.trained_mut();
    let held = data.held_out(measure::EXACT_POINTS)?;
    if held.of() > held.rows.len() && options.group.is_first() {
        let (n, of, set) = (held.rows.len(), held.of(), &held.name);
        let more = match n < measure::EXACT_POINTS {
            true => "there are too many classes for more",
            false => "`triflow evaluate --points N` measures more",
        };
        log::info!("measuring {n} of {of} {set} rows, spread over them; {more}");
    }
    measure::evaluate(model, &held, &options)
}

/// Number of steps below which a model of a table has hardly begun to learn.
const FEW_STEPS: u64 = 1000;

/// Says so if a model of a table was trained for few steps, as one of few rows is by default.
fn hint_at_steps(trainer: &Trainer) {
    let (steps, epoch) = (trainer.step(), trainer.steps_per_epoch().max(1));
    if (1..FEW_STEPS).contains(&steps) && report::is_table(trainer.trained()) {
        let are = if steps == 1 { "step is" } else { "steps are" };
        log::info!(
            "{steps} {are} few for a table; --num-epochs {} are {FEW_STEPS}",
            FEW_STEPS.div_ceil(epoch)
        );
    }
}

/// Epoch after which `training.stopping` ended the training, and its reason, such as "after epoch
/// 31: no better `total` on the validation rows for 10 epochs"; `None` if it did not.
pub(super) fn stopped(trainer: &Trainer) -> Result<Option<String>> {
    let epochs = trainer.history().epochs.len();
    Ok(trainer.stopped()?.map(|reason| format!("after epoch {epochs}: {reason}")))
}

/// Measures and draws. Returns the pictures that could not be drawn, with the reasons. If it is
/// stopped, [`super::resume`] repeats it.
fn measure(run: &Run, trainer: &mut Trainer, watch: &dyn RunObserver) -> Result<Vec<String>> {
    let (history, stopped) = (trainer.history().clone(), stopped(trainer)?);
    let evaluation = evaluate(trainer)?;
    let (model, data) = trainer.trained_mut();
    run.write_json("metrics.json", &evaluation.to_json())?;
    if !evaluation.arrays.is_empty() {
        report::write_npz(&run.path, "samples.npz", &evaluation.arrays, model.units())?;
        report::write_samples(model, &evaluation.arrays, &run.path)?;
    }
    if let Some(predictions) = &evaluation.predictions {
        report::write_predictions(model, predictions, &run.path)?;
    }
    let course =
        report::Course { history: &history, stopped: stopped.as_deref(), kept: run.best_epoch() };
    report::draw_until(model, data, course, &run.path, &|| watch.stop())
}

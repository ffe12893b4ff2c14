//! The way from a trainer to a finished run: training with its checkpoints, and what is written at the end.

use super::checkpoints::LAST;
use super::{Run, Watch};
use crate::config::{Every, LossTerm};
use crate::error::{Error, Result};
use crate::io::tfevents::EventWriter;
use crate::loss::TERMS;
use crate::measure::{self, Options};
use crate::plugin;
use crate::report;
use crate::train::{Control, Epoch, Event, History, Trainer};
use serde_json::json;
use std::time::Instant;

/// Trains to the end; `report`: measures and draws too.
pub(super) fn finish(
    run: Run,
    mut trainer: Trainer,
    watch: &mut dyn Watch,
    report: bool,
) -> Result<Run> {
    let _threads = trainer.trained().threads();
    let began = Instant::now();
    let first_step = trainer.step();
    let next_epoch = trainer.history().epochs.last().map(|e| e.epoch as i64 + 1);
    watch.start(&trainer, &run);
    let checkpoint = trainer.experiment().checkpoint;
    let every = match checkpoint.every {
        Every::Steps(n) => n,
        Every::Epochs(n) => n.saturating_mul(trainer.steps_per_epoch()),
    };
    let mut events = EventWriter::create(&run.path, next_epoch)?;
    let done = trainer.fit(&mut |trainer, event| {
        watch.event(event);
        let stop = watch.stop();
        let at_epoch = matches!(event, Event::Epoch(_));
        if let Event::Epoch(epoch) = event {
            record(&mut events, epoch)?;
            if checkpoint.keep_best.is_some_and(|term| is_lowest(trainer.history(), term)) {
                run.save_best(trainer)?;
            }
        }
        let step = trainer.step();
        let last_of_epoch =
            step.is_multiple_of(trainer.steps_per_epoch()) || step == trainer.total_steps();
        // At an epoch's end the state is saved once its history is complete.
        let boundary = !last_of_epoch || at_epoch;
        if boundary && (stop || step.is_multiple_of(every)) {
            run.save_checkpoint(trainer, checkpoint.keep)?;
        }
        Ok(if stop && boundary { Control::Stop } else { Control::Continue })
    })?;
    let pace = Pace { steps: trainer.step() - first_step, seconds: began.elapsed().as_secs_f64() };
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
        return Err(Error::Interrupted { run: run.path });
    }
    trainer.trained().save(&run.file(LAST))?;
    let mut not_drawn = Vec::new();
    if report {
        watch.note("measuring and drawing");
        not_drawn = measure(&run, &mut trainer, watch)?;
    }
    watch.end();
    run.must_be_there()?;
    // Last: its presence says that the run is finished.
    run.write_json("manifest.json", &manifest(&trainer, &pace, watch.program(), not_drawn))?;
    Ok(run)
}

/// Measures and draws; which pictures could not be drawn, and why. Where it is stopped, `resume` does it again.
fn measure(run: &Run, trainer: &mut Trainer, watch: &dyn Watch) -> Result<Vec<String>> {
    let history = trainer.history().clone();
    let (model, data) = trainer.trained_mut();
    let evaluation =
        measure::evaluate(model, &data.held_out(measure::EXACT_POINTS)?, &Options::default())?;
    run.write_json("metrics.json", &evaluation.to_json())?;
    if !evaluation.arrays.is_empty() {
        report::write_npz(&run.path, "samples.npz", &evaluation.arrays, model.units())?;
    }
    report::draw_until(model, data, &history, &run.path, &|| watch.stop())
}

/// Whether the last epoch has the lowest `term` of all on the validation rows, or on the training rows
/// where there is no validation.
fn is_lowest(history: &History, term: LossTerm) -> bool {
    let of = |terms: &[Option<f64>]| terms.get(term as usize).copied().flatten();
    let validated = history.epochs.iter().any(|e| of(&e.val).is_some());
    let value = |e: &Epoch| if validated { of(&e.val) } else { of(&e.train) };
    let Some((last, before)) = history.epochs.split_last() else { return false };
    value(last).is_some_and(|last| before.iter().filter_map(value).all(|v| last < v))
}

/// Writes the loss terms of an epoch for TensorBoard.
fn record(events: &mut EventWriter, epoch: &Epoch) -> Result<()> {
    for (set, values) in [("train", &epoch.train), ("val", &epoch.val)] {
        for (term, value) in TERMS.iter().zip(values) {
            if let Some(value) = value {
                events.scalar(&format!("{term}/{set}"), epoch.epoch as i64, *value as f32)?;
            }
        }
    }
    events.flush()
}

/// What this process did of the training.
struct Pace {
    steps: u64,
    seconds: f64,
}

fn manifest(
    trainer: &Trainer,
    pace: &Pace,
    program: serde_json::Value,
    not_drawn: Vec<String>,
) -> serde_json::Value {
    let rows = trainer.data().train.len() as f64 / trainer.steps_per_epoch() as f64;
    json!({
        "triflow": env!("CARGO_PKG_VERSION"),
        "program": program,
        "plugins": trainer.experiment().libraries(),
        "built_with": { "tch": plugin::TCH_VERSION, "libtorch": plugin::LIBTORCH_VERSION },
        "device": format!("{:?}", trainer.trained().device()),
        "threads": trainer.experiment().threads,
        "parameters": trainer.trained().parameter_count(),
        "data": trainer.data().found,
        "finished": chrono::Local::now().to_rfc3339(),
        "steps": trainer.step(),
        "steps_before_resuming": trainer.step() - pace.steps,
        "training_seconds": pace.seconds,
        "pictures_not_drawn": not_drawn,
        "pairing": trainer.pairing_cost(),
        "examples_per_second": rows * pace.steps as f64 / pace.seconds,
        "command": std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_ranked_by_the_same_rows() {
        let history = |epochs: &[(f64, Option<f64>)]| History {
            epochs: epochs
                .iter()
                .map(|(train, val)| Epoch {
                    train: vec![Some(*train)],
                    val: vec![*val],
                    ..Epoch::default()
                })
                .collect(),
        };
        let term: LossTerm = serde_json::from_str("\"total\"").unwrap();
        assert!(is_lowest(&history(&[(2.0, None), (1.0, None)]), term));
        assert!(is_lowest(&history(&[(2.0, Some(9.0)), (3.0, Some(8.0))]), term));
        // A loss on the training rows beats none on the validation rows.
        assert!(!is_lowest(&history(&[(2.0, Some(9.0)), (1.0, None)]), term));
        assert!(is_lowest(&history(&[(2.0, None), (3.0, Some(8.0))]), term));
    }
}

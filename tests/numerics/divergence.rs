//! Training that diverges: the step at which it does, and the return to an earlier state.

use crate::common::runs::{StopAfter, read};
use std::path::{Path, PathBuf};
use triflow::prelude::*;
use triflow::run::{self, Run};
use triflow::train::{Control, Divergence, History, Outcome, State};
use triflow::{Error, Experiment, Trainer};

/// 8 steps an epoch. The learning rate rises by a thirtieth of it each step, and is too large from
/// some step on.
const RISING: &str = "
task: generation
data: { type: two_moons, samples: 400, val_samples: 100, test_samples: 100 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [16] } }
training:
  epochs: 4
  batch_size: 50
  optimizer: { type: sgd, learning_rate: 6 }
  lr_schedule: { type: constant, warmup: 30 }
  on_divergence: { type: restore_and_halve_lr, restores: 5 }
checkpoint: { every: 3 steps, keep: 1, keep_best: total }
sampling: { solver: euler, steps: 4 }
device: cpu
threads: 1
";

fn experiment(changes: &[(&str, &str)]) -> Experiment {
    triflow_plugins::link();
    let yaml = changes.iter().fold(RISING.to_owned(), |yaml, (from, to)| {
        assert!(yaml.contains(from), "{from}");
        yaml.replace(from, to)
    });
    Experiment::from_yaml(&yaml).unwrap()
}

const STOP: (&str, &str) = ("{ type: restore_and_halve_lr, restores: 5 }", "stop");

/// Trains until it diverges.
fn diverged(trainer: &mut Trainer) -> Divergence {
    match trainer.train(&mut |_, _| Ok(Control::Continue)).unwrap() {
        Outcome::Diverged(divergence) => divergence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_step_is_the_first_whose_loss_or_gradient_is_not_finite_however_late_it_is_found() {
    // Found at the end of the epoch, at checkpoints, and by a look after each step.
    let make =
        |every| Trainer::new(experiment(&[STOP, ("3 steps", every)]), Path::new("")).unwrap();
    let late = diverged(&mut make("5 epochs"));
    assert!(late.step > 8 && late.step < 32, "{late:?}");
    assert_eq!(diverged(&mut make("1 steps")), late);
    let mut trainer = make("5 epochs");
    let mut finite = 0;
    let outcome = trainer.train(&mut |trainer, event| {
        if trainer.divergence()?.is_none() {
            finite = event.step;
        }
        Ok(Control::Continue)
    });
    assert_eq!(outcome.unwrap(), Outcome::Diverged(late.clone()));
    assert_eq!(finite + 1, late.step);
    assert_eq!(late.epoch, (late.step - 1) / 8 + 1);
    assert!((late.learning_rate - 6.0 * late.step as f64 / 30.0).abs() < 1e-9, "{late:?}");
    // The state one step before is saved; there is none of the step itself.
    for (stop, saved) in [(late.step - 1, true), (late.step, false)] {
        let mut trainer = make("5 epochs");
        let stopped = trainer.train(&mut |_, event| {
            Ok(if event.step == stop { Control::Stop } else { Control::Continue })
        });
        assert_eq!(stopped.unwrap() == Outcome::Stopped, saved);
        assert_eq!(trainer.state().is_ok(), saved);
    }
}

/// A step of plain gradient descent is the learning rate times the gradient.
#[test]
fn the_norm_in_the_history_is_the_mean_length_of_the_gradient_before_it_is_clipped() {
    let changes = [
        ("learning_rate: 6", "learning_rate: 0.01, momentum: 0"),
        ("{ type: constant, warmup: 30 }", "constant"),
    ];
    let yaml = |clip: &str| {
        let yaml = changes.iter().fold(RISING.to_owned(), |y, (a, b)| y.replace(a, b));
        yaml.replace("  epochs: 4", &format!("  epochs: 2\n  precision: float64{clip}"))
    };
    triflow_plugins::link();
    let run = |clip: &str| {
        let experiment = Experiment::from_yaml(&yaml(clip)).unwrap();
        let mut trainer = Trainer::new(experiment, Path::new("")).unwrap();
        let flat = |trainer: &Trainer| {
            let all = trainer.trained().parameters().into_iter();
            Tensor::cat(&all.map(|(_, t)| t.reshape([-1])).collect::<Vec<_>>(), 0)
        };
        let (mut before, mut lengths) = (flat(&trainer), Vec::new());
        trainer
            .fit(&mut |trainer, _| {
                let now = flat(trainer);
                lengths.push((&now - &before).norm().double_value(&[]) / 0.01);
                before = now;
                Ok(Control::Continue)
            })
            .unwrap();
        let norms = trainer.history().epochs.iter().map(|e| e.gradient_norm.unwrap());
        (norms.collect::<Vec<_>>(), lengths)
    };
    let (norms, lengths) = run("");
    for (norm, steps) in norms.iter().zip(lengths.chunks(8)) {
        let mean = steps.iter().sum::<f64>() / 8.0;
        assert!((norm - mean).abs() < 1e-9 * mean, "{norm} {mean}");
    }
    // All but the first step are other ones; that is clipped, and its norm is the same.
    let (clipped, cut) = run("\n  clip_grad_norm: 0.001");
    assert!(cut.iter().all(|length| (length - 0.001).abs() < 1e-9), "{cut:?}");
    assert!(clipped[0] > 0.1 && norms[0] > 0.1, "{clipped:?}");
}

/// Names of the files in `checkpoints`.
fn kept(run: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(run.join("checkpoints")).unwrap().flatten();
    let mut names: Vec<PathBuf> = entries.map(|e| e.file_name().into()).collect();
    names.sort();
    names
}

#[test]
fn a_training_that_returns_ends_in_the_same_bytes_wherever_it_was_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let base = Path::new("");
    let whole = folder.path().join("whole");
    run::train_into(experiment(&[]), base, &whole, &mut ()).unwrap();
    let json = serde_json::from_slice(&read(&whole, "history.json")).unwrap();
    let restores = History::from_json(&json).unwrap().restores;
    // It returns to the last checkpoint, and as it is no better there, to earlier ones.
    assert!(restores.len() > 1 && restores[0].step > 3, "{restores:?}");
    assert!((1..=3).contains(&(restores[0].diverged - restores[0].step)), "{restores:?}");
    assert!(restores.iter().all(|r| r.step % 3 == 0 && r.factor == 0.5), "{restores:?}");
    assert!(restores[1].step < restores[0].step, "{restores:?}");
    let manifest: serde_json::Value =
        serde_json::from_slice(&read(&whole, "manifest.json")).unwrap();
    assert_eq!(manifest["restores"].as_array().unwrap().len(), restores.len());
    assert_eq!(History::from_json(&json).unwrap().epochs.len(), 4);
    let files = ["params.safetensors", "history.json", "history.csv", "metrics.json"];
    // Stopped also between a return and the next checkpoint.
    for stop in [1, 9, 10, 13, 20] {
        let path = folder.path().join(format!("stopped_{stop}"));
        let mut ended = false;
        for (from, more) in [(stop, 0), (5, 0), (1000, 0)] {
            match run::train_into(experiment(&[]), base, &path, &mut StopAfter(from, more)) {
                Ok(_) => ended = true,
                Err(Error::Interrupted { .. }) => {}
                Err(e) => panic!("{e}"),
            }
        }
        assert!(ended, "{stop}");
        for name in files.iter().chain(&["checkpoints/best.safetensors"]) {
            assert!(read(&path, name) == read(&whole, name), "{name} differs, stopped at {stop}");
        }
        let last = "checkpoints/step_000000032.safetensors";
        assert!(read(&path, last) == read(&whole, last), "{stop}");
    }
    // The last state, and those to which it might have returned.
    let names = kept(&whole);
    let names = names.iter().map(|name| name.to_string_lossy().into_owned());
    let states: Vec<String> = names.filter(|name| name.starts_with("step_")).collect();
    assert_eq!(states, ["0", "27", "30", "32"].map(|n| format!("step_{n:0>9}.safetensors")));
}

/// The learning rate is halved for all steps after a return.
#[test]
fn a_return_halves_the_learning_rate_of_the_steps_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = run::train_into(experiment(&[]), Path::new(""), &path, &mut ()).unwrap();
    let restores = run.history().unwrap().restores;
    let first = restores[0];
    let last = path.join("checkpoints").join(kept(&path).pop().unwrap());
    assert_eq!(State::load(&last).unwrap().history.restores, restores);
    let mut trainer = Trainer::new(experiment(&[]), Path::new("")).unwrap();
    let mut before = None;
    let outcome = trainer.train(&mut |trainer, event| {
        if event.step == first.step {
            before = Some(trainer.state()?);
        }
        Ok(Control::Continue)
    });
    let Outcome::Diverged(divergence) = outcome.unwrap() else { panic!("it has not diverged") };
    assert_eq!(divergence.step, first.diverged);
    let factor = trainer.recovery().unwrap().unwrap();
    trainer.return_to(before.unwrap(), &divergence, factor).unwrap();
    let again = diverged(&mut trainer);
    let rate = 6.0 * again.step as f64 / 30.0 * factor;
    assert!((again.learning_rate - rate).abs() < 1e-9, "{again:?}");
    assert_eq!((again.step, trainer.history().restores[0]), (restores[1].diverged, first));
}

#[test]
fn a_training_that_diverges_too_often_says_how_often_and_where_its_last_checkpoint_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let few = [("restores: 5", "restores: 1")];
    let error = run::train_into(experiment(&few), Path::new(""), &path, &mut ()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains(" is no longer finite at step "), "{error}");
    assert!(error.contains("), after 1 return, the last to step "), "{error}");
    assert!(error.contains("\n  the last checkpoint before it is that of step "), "{error}");
    // It is where it says.
    let (_, checkpoint) = error.split_once("that of step ").unwrap();
    let (_, file) = checkpoint.lines().next().unwrap().split_once(": ").unwrap();
    assert!(Path::new(file).is_file(), "{error}");
    // Begun again it says the same: nothing has changed.
    let again = run::resume(&path, &mut ()).unwrap_err().to_string();
    assert_eq!(again, error);
    assert!(Run::open(&path).unwrap().experiment().is_ok());
}

#[test]
fn what_is_saved_by_the_clock_is_nothing_to_return_to() {
    let by_time = experiment(&[("3 steps", "5 seconds")]);
    let error = Trainer::new(by_time, Path::new("")).unwrap_err().to_string();
    assert!(
        error.contains("\n  at checkpoint.every\n  help: write them every so many steps"),
        "{error}"
    );
    assert!(Trainer::new(experiment(&[STOP, ("3 steps", "5 seconds")]), Path::new("")).is_ok());
}

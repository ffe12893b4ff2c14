//! A run that was stopped anywhere and resumed equals one that never stopped, byte for byte.

use std::path::Path;
use triflow::run::{self, Run, RunObserver};
use triflow::train::Event;
use triflow::{Error, Experiment, Result};

/// An experiment of 20 steps an epoch that uses every part of the training state.
const EXPERIMENT: &str = "
task: generation
objective: diffusion
noise_schedule: cosine
data: { type: two_moons, samples: 800 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [16], dropout: 0.1 } }
training:
  epochs: 8
  batch_size: 32
  optimizer: { type: adamw, learning_rate: 0.004 }
  lr_schedule: { type: cosine, warmup: 50 }
  clip_grad_norm: 1.0
  dropout_epochs: 6
checkpoint: { keep_best: flow }
sampling: { solver: euler, steps: 4 }
device: cpu
";

/// Asks for a stop after a number of steps.
struct StopAt {
    step: u64,
    at: u64,
}

impl RunObserver for StopAt {
    fn step(&mut self, event: &Event<'_>) {
        self.step = event.step;
    }

    fn stop(&self) -> bool {
        self.step >= self.at
    }
}

fn same(one: &Path, other: &Path, names: &[&str]) {
    for name in names {
        let read = |run: &Path| std::fs::read(run.join(name)).ok();
        assert!(read(one).is_some() && read(one) == read(other), "{name} differs");
    }
}

#[test]
fn a_run_stopped_at_any_step_goes_on_as_if_it_never_had() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let experiment = || {
        let mut experiment = Experiment::from_yaml(EXPERIMENT).unwrap();
        experiment.output_dir = folder.path().into();
        experiment
    };
    let complete = run::train(experiment(), Path::new(""), &mut ()).unwrap();
    let files =
        ["params.safetensors", "history.csv", "history.json", "metrics.json", "config.yaml"];
    // Stops within an epoch, at its end, at several steps, and one step before the end of training.
    for stops in [&[7][..], &[40], &[41, 90, 119], &[159]] {
        let mut stopped: Option<std::path::PathBuf> = None;
        for at in stops {
            let mut watch = StopAt { step: 0, at: *at };
            let done = match &stopped {
                None => run::train(experiment(), Path::new(""), &mut watch),
                Some(path) => run::resume(path, &mut watch),
            };
            let Err(Error::Interrupted { run }) = done else { panic!("{done:?}") };
            assert!(!run.join("manifest.json").exists());
            assert!(run.join(format!("checkpoints/step_{at:09}.safetensors")).exists());
            stopped = Some(run);
        }
        let run = run::resume(&stopped.unwrap(), &mut ()).unwrap();
        same(&complete.path, &run.path, &files);
        same(&complete.path, &run.path, &["checkpoints/best.safetensors"]);
    }
}

#[test]
fn a_run_that_knows_no_seed_of_the_split_keeps_its_rows() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let mut layers = triflow::config::Layers::new().unwrap();
    layers.add_text(EXPERIMENT, "test").unwrap();
    layers.set_text("training.seed=7").unwrap();
    layers.set_text("data.split.seed=null").unwrap();
    let mut experiment = layers.finish().unwrap();
    experiment.output_dir = folder.path().into();
    let complete = run::train(experiment.clone(), Path::new(""), &mut ()).unwrap();
    let mut watch = StopAt { step: 0, at: 41 };
    let Err(Error::Interrupted { run }) = run::train(experiment, Path::new(""), &mut watch) else {
        panic!("it was not stopped")
    };
    // As versions wrote it that divided the rows by the seed of the experiment.
    let file = run.join("config.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    assert_eq!(config.matches("    seed: null\n").count(), 1, "{config}");
    std::fs::write(&file, config.replace("    seed: null\n", "")).unwrap();
    let resumed = run::resume(&run, &mut ()).unwrap();
    same(&complete.path, &resumed.path, &["params.safetensors", "data.json", "metrics.json"]);
    let read = Run::open(&resumed.path).unwrap().experiment().unwrap();
    assert_eq!(read.data.common().split.seed, None);
}

#[test]
fn what_has_diverged_is_not_saved() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = Experiment::from_yaml(
        "{ task: generation, device: cpu, data: { samples: 400 }, checkpoint: { every: 1 steps, keep: 100 }, \
         training: { batch_size: 32, optimizer: { type: sgd, learning_rate: 1e12 } } }",
    )
    .unwrap();
    experiment.output_dir = folder.path().into();
    let error = run::train(experiment, Path::new(""), &mut ()).unwrap_err().to_string();
    assert!(error.contains(" is no longer finite at step "), "{error}");
    let runs: Vec<_> =
        std::fs::read_dir(folder.path().join("flow_matching_gen")).unwrap().flatten().collect();
    let saved: Vec<_> =
        std::fs::read_dir(runs[0].path().join("checkpoints")).unwrap().flatten().collect();
    assert!(!saved.is_empty());
    for checkpoint in saved {
        let state = triflow::train::State::load(&checkpoint.path()).unwrap();
        for (name, values) in state.tensors.iter().filter(|(name, _)| name == "parameters") {
            assert!(bool::try_from(values.isfinite().all()).unwrap(), "{checkpoint:?} {name}");
        }
    }
}

/// An experiment of 20 steps an epoch with a constant learning rate.
fn constant(folder: &Path, training: &str) -> Experiment {
    triflow_plugins::link();
    let text = format!(
        "{{ task: generation, objective: ct, data: {{ type: two_moons, samples: 800 }}, device: cpu, \
         crn: {{ network: {{ hidden_dims: [16], dropout: 0.1 }} }}, threads: 1, \
         sampling: {{ solver: euler, steps: 4 }}, checkpoint: {{ keep_best: total }}, \
         training: {{ batch_size: 32, ema: 0.99, optimizer: {{ type: adamw, learning_rate: 0.004 }}, \
         {training} }} }}"
    );
    let mut experiment = Experiment::from_yaml(&text).unwrap();
    experiment.output_dir = folder.into();
    experiment
}

/// Trains a run further, with other values for some keys.
fn extended(run: &Run, set: &[&str], watch: &mut dyn RunObserver) -> Result<Run> {
    let mut layers = run.layers()?;
    set.iter().try_for_each(|assignment| layers.set_text(assignment))?;
    run::extend(run, layers.finish()?, watch).map_err(|e| layers.locate(e))
}

#[test]
fn a_finished_run_trained_further_equals_one_with_as_many_epochs_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let train = |training: &str| {
        run::train(constant(folder.path(), training), Path::new(""), &mut ()).unwrap()
    };
    let (long, short) = (train("epochs: 7"), train("epochs: 3"));
    let before = std::fs::read(short.file("params.safetensors")).unwrap();
    let more = extended(&short, &["training.epochs=7"], &mut ()).unwrap();
    let files =
        ["params.safetensors", "history.csv", "history.json", "metrics.json", "config.yaml"];
    same(&long.path, &more.path, &files);
    assert!(more.file("checkpoints/best.safetensors").is_file());
    let manifest = std::fs::read_to_string(more.file("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let origin = serde_json::json!({ "run": short.path, "step": 60, "epoch": 3 });
    assert_eq!(manifest["continues"], origin);
    // The finished run is as it was.
    assert!(std::fs::read(short.file("params.safetensors")).unwrap() == before);
    // Interrupted and resumed, also before its first own checkpoint.
    for at in [61, 100] {
        let cut = extended(&short, &["training.epochs=7"], &mut StopAt { step: 0, at });
        let Err(Error::Interrupted { run: cut }) = cut else { panic!("{cut:?}") };
        same(&long.path, &run::resume(&cut, &mut ()).unwrap().path, &files);
    }
    // Further again, step by step instead of by epochs, from within an epoch.
    let some = train("steps: 50");
    let more = extended(&some, &["training.steps=110"], &mut ()).unwrap();
    let more = extended(&more, &["training.steps=140"], &mut ()).unwrap();
    let all = train("steps: 140");
    same(&all.path, &more.path, &["params.safetensors", "metrics.json"]);
    let (all, more) = (all.history().unwrap(), more.history().unwrap());
    let last = |h: &triflow::train::History| (h.epochs.len(), h.epochs[6].clone());
    assert_eq!(last(&all), last(&more));
}

#[test]
fn a_run_that_cannot_be_trained_further_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let experiment =
        || constant(folder.path(), "epochs: 2, stopping: { type: patience, epochs: 1 }");
    let cut = run::train(experiment(), Path::new(""), &mut StopAt { step: 0, at: 5 });
    let Err(Error::Interrupted { run: cut }) = cut else { panic!("{cut:?}") };
    let refused =
        |run: &Run, set: &[&str]| extended(run, set, &mut ()).map(|_| ()).unwrap_err().to_string();
    let cut = Run::open(&cut).unwrap();
    let error = refused(&cut, &["training.epochs=4"]);
    assert!(error.contains(" is not finished\n  help: `triflow resume --run "), "{error}");

    let run = run::train(experiment(), Path::new(""), &mut ()).unwrap();
    let starts = |set: &[&str], expected: &str| {
        let error = refused(&run, set);
        assert!(error.starts_with(expected), "{error}");
    };
    let place = "\n  at training.epochs (--set training.epochs=2)";
    starts(
        &["training.epochs=2"],
        &format!("needs more than the 2 epochs that the run has taken{place}"),
    );
    let (more, steps) = ("training.epochs=4", "training.steps=40");
    starts(&[steps], "needs more than the 40 steps that the run has taken\n  at training.steps (");
    for (key, set) in [
        ("training.batch_size", "training.batch_size=16"),
        ("training.seed", "training.seed=7"),
        ("objective", "objective=diffusion"),
        ("data", "data.samples=900"),
    ] {
        starts(
            &[more, set],
            &format!("a run that is trained further keeps its `{key}`\n  at {key} (--set {set})\n"),
        );
    }
    starts(
        &[more, "training.optimizer=sgd"],
        "another optimizer has no state here\n  at training.optimizer (--set training.optimizer=sgd)",
    );
    // The learning rate may change.
    extended(&run, &[more, "training.optimizer.learning_rate=0.001"], &mut ()).unwrap();
    // The state of an earlier step is none of the end.
    let of_step = |step: u64| run.file(&format!("checkpoints/step_{step:09}.safetensors"));
    std::fs::rename(of_step(40), of_step(39)).unwrap();
    starts(&[more], &format!("{}: holds no state of step 40", run.file("checkpoints").display()));
    std::fs::remove_dir_all(run.file("checkpoints")).unwrap();
    starts(&[more], &format!("{}: holds no state of step 40", run.file("checkpoints").display()));
}

#[test]
fn a_rule_that_has_ended_a_run_has_to_change_for_further_training() {
    let folder = tempfile::tempdir().unwrap();
    let still = "epochs: 9, stopping: { type: patience, epochs: 2 }";
    let mut experiment = constant(folder.path(), still);
    let sgd = triflow_plugins::optimizers::Sgd { learning_rate: 1e-30, ..Default::default() };
    experiment.training.optimizer = sgd.into();
    let run = run::train(experiment, Path::new(""), &mut ()).unwrap();
    let error = extended(&run, &["training.epochs=20"], &mut ()).unwrap_err().to_string();
    let expected = "ends the training before another step: no better `total` on the validation rows \
                    for 2 epochs\n  at training.stopping";
    assert!(error.starts_with(expected), "{error}");
    let never = ["training.epochs=5", "training.stopping=never"];
    let more = extended(&run, &never, &mut ()).unwrap();
    assert_eq!(more.history().unwrap().epochs.len(), 5);
}

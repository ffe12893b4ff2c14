//! A run that was stopped anywhere and resumed equals one that never stopped, byte for byte.

use std::path::Path;
use triflow::run::{self, RunObserver};
use triflow::train::Event;
use triflow::{Error, Experiment};

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
    assert!(error.starts_with("the parameters are no longer finite at step "), "{error}");
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

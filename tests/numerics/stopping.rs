//! The end of training before its planned steps.

use std::path::Path;
use triflow::component::{Columns, Epoch, LossTerm, Splits, Stopping};
use triflow::config::Layers;
use triflow::prelude::*;
use triflow::run::{self, RunObserver};
use triflow::tch::{Device, Kind};
use triflow::train::{Control, Event};
use triflow::{Error, Experiment, Trainer};
use triflow_plugins::stopping::Patience;

fn patience(epochs: u64, min_improvement: f64) -> Box<dyn Stopping> {
    triflow_plugins::link();
    let spec = Patience { term: LossTerm::Flow, epochs, min_improvement };
    Component::from(spec).build(&()).unwrap()
}

/// Epochs with these values of `flow` on the validation rows.
fn epochs(values: &[Option<f64>]) -> Vec<Epoch> {
    let epoch = |(number, value): (u64, &Option<f64>)| {
        let mut val = vec![Some(9.0); LossTerm::ALL.len()];
        val[LossTerm::Flow as usize] = *value;
        // The training rows improve for ever.
        let train = vec![Some(1.0 / number as f64); LossTerm::ALL.len()];
        Epoch { epoch: number, step: 3 * number, train, val, ..Epoch::default() }
    };
    (1..).zip(values).map(epoch).collect()
}

/// The first epoch after which training ends.
fn end(rule: &dyn Stopping, values: &[Option<f64>]) -> Option<usize> {
    let all = epochs(values);
    (1..=all.len()).find(|n| rule.stop(&all[..*n]).unwrap().is_some())
}

#[test]
fn patience_ends_when_the_best_value_is_as_old_as_it_says() {
    let values = |list: &[f64]| list.iter().copied().map(Some).collect::<Vec<_>>();
    let falls_then_rises = values(&[5.0, 4.0, 3.0, 3.5, 3.2, 3.1, 3.05]);
    assert_eq!(end(&*patience(1, 0.0), &falls_then_rises), Some(4));
    assert_eq!(end(&*patience(3, 0.0), &falls_then_rises), Some(6));
    assert_eq!(end(&*patience(5, 0.0), &falls_then_rises), None);
    // The same value again is no improvement.
    assert_eq!(end(&*patience(2, 0.0), &values(&[1.0, 1.0, 1.0])), Some(3));
    // A fall by less than the least improvement is none; several small ones add up.
    assert_eq!(end(&*patience(2, 0.5), &values(&[5.0, 4.9, 4.8, 4.7])), Some(3));
    assert_eq!(end(&*patience(2, 0.5), &values(&[5.0, 4.7, 4.4, 4.1, 3.8])), None);
    // What was not measured is no improvement, and before the first value nothing is waited for.
    assert_eq!(end(&*patience(2, 0.0), &[Some(1.0), None, Some(0.5), None, None]), Some(5));
    assert_eq!(end(&*patience(1, 0.0), &[None, None, None, Some(1.0)]), None);
    let reason = patience(2, 0.0).stop(&epochs(&values(&[1.0, 2.0, 3.0]))).unwrap();
    assert_eq!(reason.unwrap(), "no better `flow` on the validation rows for 2 epochs");
}

/// An experiment of 4 steps an epoch whose parameters never change: its loss on the validation rows
/// is the same after every epoch.
const STILL: &str = "
task: generation
data: { type: two_moons, samples: 160 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [4] } }
training:
  epochs: 9
  batch_size: 32
  optimizer: { type: sgd, learning_rate: 1.0e-30 }
  stopping: { type: patience, epochs: 3 }
checkpoint: { every: 3 steps, keep_best: total }
sampling: { solver: euler, steps: 2 }
threads: 1
device: cpu
";

fn still(folder: &Path) -> Experiment {
    triflow_plugins::link();
    let mut experiment = Experiment::from_yaml(STILL).unwrap();
    experiment.output_dir = folder.into();
    experiment
}

#[test]
fn a_trainer_ends_with_the_epoch_that_its_rule_names_and_plans_the_rates_of_all_steps() {
    let mut trainer = Trainer::new(still(Path::new("")), Path::new("")).unwrap();
    let mut last = (0, 0);
    let done = trainer.fit(&mut |_, event| {
        last = (event.step, event.total);
        Ok(Control::Continue)
    });
    assert!(done.unwrap());
    assert_eq!((last, trainer.step(), trainer.history().epochs.len()), ((16, 36), 16, 4));
    let reason = trainer.stopped().unwrap();
    assert_eq!(reason.unwrap(), "no better `total` on the validation rows for 3 epochs");
    // It has ended: nothing more is trained.
    assert!(trainer.fit(&mut |_, _| panic!("a step is taken")).unwrap());
}

/// Asks for a stop after a number of steps.
struct StopAt(u64, u64);

impl RunObserver for StopAt {
    fn step(&mut self, event: &Event<'_>) {
        self.1 = event.step;
    }

    fn stop(&self) -> bool {
        self.1 >= self.0
    }
}

#[test]
fn a_run_that_stopped_early_is_finished_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let run = run::train(still(folder.path()), Path::new(""), &mut ()).unwrap();
    let read = |run: &Path, name: &str| std::fs::read(run.join(name)).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&read(&run.path, "manifest.json")).unwrap();
    let why = "after epoch 4: no better `total` on the validation rows for 3 epochs";
    assert_eq!(manifest["stopped"], why);
    assert_eq!((&manifest["steps"], &manifest["planned_steps"]), (&16.into(), &36.into()));
    let error = run::resume(&run.path, &mut ()).unwrap_err().to_string();
    let shown = run.path.display();
    assert!(error.starts_with(&format!("{shown} is finished: its training stopped {why}\n")));
    // Without its last file it is measured again, and without its parameters too.
    let metrics = read(&run.path, "metrics.json");
    for missing in
        [&["manifest.json", "metrics.json"][..], &["manifest.json", "params.safetensors"]]
    {
        let params = read(&run.path, "params.safetensors");
        missing.iter().for_each(|name| std::fs::remove_file(run.file(name)).unwrap());
        let again = run::resume(&run.path, &mut ()).unwrap();
        assert!(read(&again.path, "metrics.json") == metrics);
        assert!(read(&again.path, "params.safetensors") == params);
    }
    // Interrupted within an epoch or at the step of the decision, it ends at the same step.
    for at in [7, 15, 16] {
        let done = run::train(still(folder.path()), Path::new(""), &mut StopAt(at, 0));
        let Err(Error::Interrupted { run: cut }) = done else { panic!("{done:?}") };
        let resumed = run::resume(&cut, &mut ()).unwrap();
        for name in ["params.safetensors", "history.json", "metrics.json"] {
            assert!(read(&resumed.path, name) == read(&run.path, name), "{at}: {name} differs");
        }
    }
}

/// The error of making a trainer for rows of two numbers.
fn refused(training: &str, val: f64) -> String {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    let text = format!(
        "{{ unconditional: true, training: {{ stopping: {training} }}, \
         data: {{ split: {{ val: {val} }} }} }}"
    );
    layers.add_text(&text, "e.yaml").unwrap();
    let x = Some(Tensor::arange(24, (Kind::Float, Device::Cpu)).view([12, 2]));
    let splits = Splits { train: Columns { x, ..Columns::default() }, ..Splits::default() };
    let built = layers.finish().and_then(|e| Trainer::with_tables(e, splits));
    layers.locate(built.map(|_| ()).unwrap_err()).to_string()
}

#[test]
fn what_patience_cannot_wait_for_is_refused() {
    for (stopping, val, expected) in [
        (
            "patience",
            0.0,
            "needs validation rows, and there are none\n  at training.stopping (e.yaml:1)\n  \
             help: hold some back, as `data: { split: { val: 0.1 } }`",
        ),
        (
            "{ type: patience, term: kl }",
            0.2,
            "this model has no loss term `kl`\n  at training.stopping (e.yaml:1)",
        ),
        (
            "{ type: patience, epochs: 0 }",
            0.2,
            "needs at least 1, got 0\n  at training.stopping.epochs (e.yaml:1)",
        ),
        (
            "{ type: patience, min_improvement: -1 }",
            0.2,
            "needs a number of at least 0, got -1\n  at training.stopping.min_improvement (e.yaml:1)",
        ),
    ] {
        assert_eq!(refused(stopping, val), expected);
    }
}

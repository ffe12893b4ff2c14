//! The weights of the best epoch by a metric.

use crate::common::runs::{StopAfter, read};
use std::path::Path;
use triflow::measure::{self, Options};
use triflow::run::{self, Run};
use triflow::train::Control;
use triflow::{Error, Experiment, Trainer};

/// 4 steps an epoch.
const EXPERIMENT: &str = "
task: generation
data: { type: two_moons, samples: 160, val_samples: 60, test_samples: 20 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [8] } }
training: { epochs: 6, batch_size: 40, ema: 0.5, optimizer: { learning_rate: 0.03 } }
checkpoint: { every: 3 steps, keep_best: METRIC }
sampling: { solver: euler, steps: 3 }
device: cpu
threads: 1
";

fn experiment(by: &str) -> Experiment {
    triflow_plugins::link();
    Experiment::from_yaml(&EXPERIMENT.replace("METRIC", by)).unwrap()
}

/// Values of a metric on the validation rows after each epoch.
fn values(name: &str) -> Vec<f64> {
    let mut trainer = Trainer::new(experiment("null"), Path::new("")).unwrap();
    let mut values = Vec::new();
    trainer
        .fit(&mut |trainer, event| {
            if event.epoch.is_some() {
                let options =
                    Options { draws: 1, only: Some(name.to_owned()), ..Options::default() };
                let (model, data) = trainer.trained_mut();
                let held = data.validation(1000)?;
                assert_eq!((held.name.as_str(), held.rows.len()), ("validation", 60));
                values.push(
                    measure::evaluate(model, &held, &options)?.scores.get(name).unwrap().mean,
                );
            }
            Ok(Control::Continue)
        })
        .unwrap();
    values
}

#[test]
fn the_epoch_with_the_best_value_is_kept_in_the_direction_of_the_metric() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    // Less of the first is better, more of the second.
    for (name, sign) in [("w2", 1.0), ("coverage", -1.0)] {
        let values = values(name);
        let best = (0..6).min_by(|a, b| (sign * values[*a]).total_cmp(&(sign * values[*b])));
        let best = best.unwrap() as u64 + 1;
        let whole = folder.path().join(name);
        let run = run::train_into(experiment(name), Path::new(""), &whole, &mut ()).unwrap();
        assert_eq!(run.best_epoch(), Some(best), "{name}: {values:?}");
        // As the parameters after so many epochs.
        let short = experiment("null");
        let short = Experiment {
            training: triflow::config::Training { epochs: best, ..short.training.clone() },
            ..short
        };
        let mut trainer = Trainer::new(short, Path::new("")).unwrap();
        trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
        let model = Run::open(&whole).unwrap();
        let model = model.load_as(model.experiment().unwrap(), run::Weights::Best).unwrap();
        for ((name, one), (_, other)) in
            model.parameters().iter().zip(&trainer.trained().parameters())
        {
            assert_eq!(one, other, "{name}");
        }
        // Measuring changes nothing of the training.
        let plain = folder.path().join("plain");
        run::train_into(experiment("null"), Path::new(""), &plain, &mut ()).unwrap();
        assert!(read(&plain, "history.json") == read(&whole, "history.json"));
        // Stopped before and after the best epoch.
        for stop in [3, 7, 13, 22] {
            let path = folder.path().join(format!("{name}_{stop}"));
            let begun =
                run::train_into(experiment(name), Path::new(""), &path, &mut StopAfter(stop, 0));
            assert!(matches!(begun, Err(Error::Interrupted { .. })));
            run::resume(&path, &mut ()).unwrap();
            for file in ["params.safetensors", "checkpoints/best.safetensors", "loss_trends.png"] {
                assert!(read(&path, file) == read(&whole, file), "{file}, stopped at {stop}");
            }
        }
        kept.push(best);
    }
    // The directions matter here.
    assert_ne!(kept[0], kept[1]);
}

#[test]
fn what_cannot_tell_a_best_epoch_is_refused_before_training() {
    let refused = |by: &str, more: &str| {
        triflow_plugins::link();
        let mut layers = triflow::config::Layers::new().unwrap();
        layers.add_text(&EXPERIMENT.replace("METRIC", by), "e.yaml").unwrap();
        layers.add_text(more, "more").unwrap();
        let made = layers.finish().and_then(|e| Trainer::new(e, Path::new("")));
        let error = made.and_then(|trainer| run::check_metrics(&trainer)).unwrap_err();
        layers.locate(error).to_string()
    };
    let unknown = refused("w3", "{}");
    assert!(
        unknown.starts_with("unknown metric `w3`\n  at checkpoint.keep_best (e.yaml:"),
        "{unknown}"
    );
    assert!(unknown.contains("did you mean `w2`?"), "{unknown}");
    let of_predictions = refused("accuracy", "{}");
    let expected = "`accuracy` is no metric of generation\n  at checkpoint.keep_best (e.yaml:";
    assert!(of_predictions.starts_with(expected), "{of_predictions}");
    let rows = "data: { val_samples: null, split: { val: 0 } }";
    let no_rows = refused("w2", rows);
    assert!(
        no_rows.starts_with("needs validation rows, and there are none\n  at checkpoint."),
        "{no_rows}"
    );
    let list = refused("[w2]", "{}");
    assert!(
        list.starts_with("needs a loss term, such as `total`, or the name of a metric, got a list"),
        "{list}"
    );
}

//! Training rows that are drawn by weight.

use std::path::Path;
use triflow::component::{Columns, DataContext, Part, Splits};
use triflow::config::Layers;
use triflow::io::{ArrayData, NamedArray, safetensors};
use triflow::prelude::*;
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Trainer};
use triflow_plugins::data_sources::{Column, Csv, MissingValue};

/// 200 rows with the condition 0 and the targets −1, of weight 3, and 2, of weight 1.
fn rows() -> Splits {
    let y = Tensor::arange(200, (Kind::Float, Device::Cpu)).remainder(2) * 3.0 - 1.0;
    let table = |y: Tensor| Columns {
        x: Some(y.zeros_like().view([-1, 1])),
        weights: Some((&y * -2.0 + 7.0) / 3.0),
        y: Some(y.view([-1, 1])),
        ..Columns::default()
    };
    let val = Some(table(y.narrow(0, 0, 20)));
    Splits { train: table(y), val, ..Splits::default() }
}

fn experiment(training: &str) -> Experiment {
    triflow_plugins::link();
    let text = format!(
        "{{ task: regression, device: cpu, threads: 1, data: {{ standardise: false }}, \
         crn: {{ network: {{ hidden_dims: [16] }} }}, sampling: {{ solver: euler, steps: 1 }}, \
         training: {{ batch_size: 50, ema: 0.99, {training} }} }}"
    );
    Experiment::from_yaml(&text).unwrap()
}

fn trained(training: &str) -> Trainer {
    let mut trainer = Trainer::with_tables(experiment(training), rows()).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    trainer
}

/// The best velocity at t = 0, where z holds nothing of the data, leads to their mean: one Euler
/// step from there ends in it.
#[test]
fn the_minimum_of_the_loss_is_at_the_weighted_mean() {
    let predicted = |weights: &str| {
        let training = format!(
            "epochs: 200, optimizer: {{ learning_rate: 0.01 }}, lr_schedule: linear, \
             time_sampling: {{ type: logit_normal, mean: -12, std: 0.1 }}{weights}"
        );
        let mut model = trained(&training).into_trained();
        let x = Tensor::from_slice(&[0.0f32]);
        model.generate(&x, None, None).unwrap().double_value(&[0])
    };
    let (weighted, plain) = (predicted(", row_weights: given"), predicted(""));
    assert!((weighted + 0.25).abs() < 0.1, "{weighted}");
    assert!((plain - 0.5).abs() < 0.1, "{plain}");
}

#[test]
fn the_loss_on_the_validation_rows_has_no_weights() {
    let still = "epochs: 2, optimizer: { type: sgd, learning_rate: 1.0e-30 }";
    let (plain, weighted) = (trained(still), trained(&format!("{still}, row_weights: given")));
    for (one, other) in plain.history().epochs.iter().zip(&weighted.history().epochs) {
        assert_eq!(one.val, other.val);
        assert_ne!(one.train, other.train);
    }
}

#[test]
fn rows_on_disk_are_drawn_by_weight_as_rows_in_memory_are() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.safetensors");
    let array = |name: &str, shape: &[usize], data: ArrayData| {
        NamedArray::new(name, shape.to_vec(), data).unwrap()
    };
    let numbers = |n: usize| -> Vec<f32> { (0..n).map(|i| (i * i % 17) as f32).collect() };
    let arrays =
        [array("x", &[60, 2], numbers(120).into()), array("mass", &[60, 1], numbers(60).into())];
    safetensors::write_safetensors(&path, &arrays, &Default::default()).unwrap();
    let parameters = |keep: &str| {
        let mut layers = Layers::new().unwrap();
        let text = format!(
            "{{ unconditional: true, device: cpu, threads: 1, coupling: ot_exact, \
             data: {{ type: safetensors, path: {}, weights: mass, keep: {keep} }}, \
             training: {{ epochs: 3, batch_size: 16, row_weights: given }} }}",
            path.display()
        );
        layers.add_text(&text, "test").unwrap();
        let mut trainer = Trainer::new(layers.finish().unwrap(), Path::new("")).unwrap();
        trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
        let all = trainer.trained().parameters().into_iter().map(|(_, t)| t.reshape([-1]));
        (trainer.data().weights.clone().unwrap(), Tensor::cat(&all.collect::<Vec<_>>(), 0))
    };
    let (held, stored) = (parameters("device"), parameters("disk"));
    assert_eq!(held.0, stored.0);
    assert_eq!(held.1, stored.1);
    assert_eq!(held.0.len(), 48);
}

#[test]
fn weights_are_read_from_a_column_and_follow_their_rows() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let text = "x,label,w\n1,a,0.5\n,a,7\n3,b,2\n4,b,0\n";
    std::fs::write(folder.path().join("d.csv"), text).unwrap();
    let load = |weights: &str| {
        let spec = Csv {
            missing: MissingValue::Drop,
            weights: Some(Column::Name(weights.into())),
            ..Csv::new("d.csv")
        };
        let context = DataContext::new(1, folder.path());
        Component::<dyn DataSource>::from(spec).build(&context)?.load()
    };
    let table = load("w").unwrap().train;
    let weights = |table: &Columns| Vec::<f64>::try_from(table.weights.as_ref().unwrap()).unwrap();
    // The second row is left out, for it has no x.
    assert_eq!(weights(&table), [0.5, 2.0, 0.0]);
    assert_eq!(weights(&table.rows(&[2, 0])), [0.0, 0.5]);
    assert_eq!(table.layout(Part::X).unwrap().1, [3, 1]);
    for (name, expected) in [
        ("v", "there is no column `v`; "),
        ("label", "line 2: column `label`: `a` is not a number"),
    ] {
        let error = load(name).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn balanced_classes_are_those_of_the_training_rows() {
    triflow_plugins::link();
    let y = Tensor::arange(100, (Kind::Int64, Device::Cpu)).remainder(5).eq(0).to_kind(Kind::Int64);
    let x = Tensor::arange(100, (Kind::Float, Device::Cpu)).view([100, 1]);
    let build = |y: Tensor| {
        let train = Columns { x: Some(x.shallow_clone()), y: Some(y), ..Columns::default() };
        let text = "{ task: generation, device: cpu, training: { row_weights: balanced } }";
        let splits = Splits { train, ..Splits::default() };
        Trainer::with_tables(Experiment::from_yaml(text).unwrap(), splits)
    };
    let weights = build(y).unwrap().data().weights.clone().unwrap();
    assert_eq!(weights.len(), 80);
    // Each class has the weight 1 in all.
    assert!((weights.iter().sum::<f64>() - 2.0).abs() < 1e-12, "{weights:?}");
    let error = build(x.shallow_clone()).unwrap_err().to_string();
    assert!(error.starts_with("the data have no classes to balance\n"), "{error}");
}

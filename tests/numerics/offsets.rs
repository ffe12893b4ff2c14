//! Columns far from zero, and columns that do not vary: digits beyond float32 are not lost.

use std::collections::BTreeSet;
use triflow::component::{Columns, Splits};
use triflow::io::{ArrayData, NamedArray, npz};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::{Experiment, Trained, Trainer};

const N: i64 = 200;

/// Rows of seconds since 1970, a column of zeros and ones, and a column that does not vary.
fn rows() -> Vec<f64> {
    (0..N).flat_map(|i| [1.6e9 + i as f64, (i % 2) as f64, 1_234_567.1]).collect()
}

fn table(values: &[f64]) -> Splits {
    let x = Tensor::from_slice(values).view([-1, 3]);
    Splits { train: Columns { x: Some(x), ..Columns::default() }, ..Splits::default() }
}

fn trainer(splits: Splits, more: &str) -> Trainer {
    triflow_plugins::link();
    let yaml = format!(
        "{{ task: generation, unconditional: true, device: cpu, \
           data: {{ type: two_moons, split: {{ train: 1, val: 0, test: 0 }} }}, \
           training: {{ epochs: 1, batch_size: 50 {more} }} }}"
    );
    Trainer::with_tables(Experiment::from_yaml(&yaml).unwrap(), splits).unwrap()
}

fn column(t: &Tensor, i: i64) -> Vec<f64> {
    assert_eq!(t.kind(), Kind::Double);
    Vec::try_from(t.select(1, i).contiguous()).unwrap()
}

/// Rows of the data, normalised and converted back.
fn round_trip(trainer: &Trainer) -> Tensor {
    trainer.trained().units().target.undo(&trainer.data().train.all().unwrap().target)
}

#[test]
fn digits_beside_a_large_offset_survive_standardising() {
    for more in ["", ", precision: float64"] {
        let trainer = trainer(table(&rows()), more);
        let target = &trainer.data().train.all().unwrap().target;
        assert_eq!(target.kind(), if more.is_empty() { Kind::Float } else { Kind::Double });
        let spread = target.select(1, 0).std(false).double_value(&[]);
        assert!((spread - 1.0).abs() < 1e-5, "{spread}");
        let times = column(&round_trip(&trainer), 0);
        let near: BTreeSet<i64> = times.iter().map(|t| t.round() as i64).collect();
        assert_eq!(near, (0..N).map(|i| 1_600_000_000 + i).collect());
        assert!(times.iter().all(|t| (t - t.round()).abs() < 1e-3));
    }
}

#[test]
fn a_column_that_does_not_vary_comes_back_as_itself_whatever_the_model_says() {
    let trainer = trainer(table(&rows()), "");
    let _stream = seed_torch(1, Purpose::Data, 0);
    let anything = Tensor::randn([50, 3], (Kind::Float, Device::Cpu)) * 100.0;
    let back = trainer.trained().units().target.undo(&anything);
    assert!(column(&back, 2).iter().all(|v| *v == 1_234_567.1));
    // Columns that float32 represents need no other precision.
    let near: Vec<f64> = (0..N).flat_map(|i| [(i % 7) as f64, (i % 2) as f64, 2.5]).collect();
    let trainer = self::trainer(table(&near), "");
    let back = trainer.trained().units().target.undo(&anything);
    assert_eq!(back.kind(), Kind::Float);
    assert!(
        Vec::<f32>::try_from(back.select(1, 2).contiguous()).unwrap().iter().all(|v| *v == 2.5)
    );
}

#[test]
fn samples_and_their_units_keep_the_digits_when_they_are_saved() {
    let mut trainer = trainer(table(&rows()), "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("params.safetensors");
    trainer.trained().save(&path).unwrap();
    let drawn = trainer.trained_mut().0.sample(&[20], None, 1).unwrap();
    let mut loaded = Trained::load(trainer.experiment().clone(), &path).unwrap();
    let again = loaded.sample(&[20], None, 1).unwrap();
    assert_eq!(column(&drawn, 0), column(&again, 0));
    let times: BTreeSet<u64> = column(&again, 0).into_iter().map(f64::to_bits).collect();
    assert_eq!(times.len(), 20);
    let array = triflow::data::files::array("samples", &again).unwrap();
    assert!(matches!(array.data, ArrayData::F64(_)));
}

#[test]
fn integers_of_a_file_and_conditions_keep_their_digits_too() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.npz");
    let x: Vec<i64> = (0..N).map(|i| 1_600_000_000_000 + i).collect();
    let y: Vec<f64> = (0..N).map(|i| i as f64).collect();
    let array = |name: &str, data: ArrayData| NamedArray::new(name, vec![N as usize, 1], data);
    let arrays = [array("x", x.into()).unwrap(), array("y", y.into()).unwrap()];
    npz::write_npz(&path, &arrays).unwrap();
    let yaml = format!(
        "{{ task: regression, device: cpu, data: {{ type: npz, path: '{}' }} }}",
        path.display()
    );
    let experiment = Experiment::from_yaml(&yaml).unwrap();
    let trainer = Trainer::new(experiment, "".as_ref()).unwrap();
    let x = triflow::data::files::read_columns(trainer.experiment(), &path, &[Part::X])
        .unwrap()
        .x
        .unwrap();
    let (condition, _) = trainer.trained().condition(&x).unwrap();
    let values: Vec<f32> = condition.value.view(-1).try_into().unwrap();
    assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
}

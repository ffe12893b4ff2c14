//! Columns of generated rows that are moved to the distributions of the training rows.

use crate::common::values;
use triflow::inference::{Lengths, Start};
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::train::Control;
use triflow::{Experiment, Result, Trained, Trainer};

const ROWS: i64 = 3000;

/// A column with a heavy tail and one of two values of unequal shares.
fn rows() -> Tensor {
    let _stream = seed_torch(1, Purpose::Data, 0);
    let options = (Kind::Float, Device::Cpu);
    let skewed = Tensor::randn([ROWS], options).exp();
    let two = Tensor::rand([ROWS], options).lt(0.8).to_kind(Kind::Float) * 5.0;
    Tensor::stack(&[skewed, two], 1)
}

fn trainer(more: &str) -> Result<Trainer> {
    triflow_plugins::link();
    let text = format!(
        "{{ task: generation, unconditional: true, device: cpu, threads: 1, \
         crn: {{ network: {{ hidden_dims: [16] }} }}, sampling: {{ steps: 4{more} }}, \
         data: {{ split: {{ train: 1, val: 0, test: 0 }} }}, \
         training: {{ batch_size: 100, steps: 20, ema: null }} }}"
    );
    let train = triflow::component::Columns { x: Some(rows()), ..Default::default() };
    let splits = triflow::component::Splits { train, ..Default::default() };
    Trainer::with_tables(Experiment::from_yaml(&text)?, splits)
}

fn trained(more: &str) -> Trained {
    let mut trainer = trainer(more).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    trainer.into_trained()
}

/// Kolmogorov-Smirnov distance of a column from that of the training rows.
fn distance(drawn: &Tensor, column: i64) -> f64 {
    let cells = |t: &Tensor| {
        let mut cells = values(&t.select(1, column));
        cells.sort_by(f64::total_cmp);
        cells
    };
    let (own, drawn) = (cells(&rows()), cells(drawn));
    let share =
        |all: &[f64], at: f64| all.partition_point(|x| *x <= at + 1e-6) as f64 / all.len() as f64;
    own.iter()
        .chain(&drawn)
        .map(|x| (share(&own, *x) - share(&drawn, *x)).abs())
        .fold(0.0, f64::max)
}

const MATCHED: &str = ", match_marginals: true";

#[test]
fn after_a_few_steps_of_training_columns_have_the_distributions_of_the_training_rows() {
    let (mut matched, mut plain) = (trained(MATCHED), trained(""));
    let draw = |model: &mut Trained| model.sample(&[4000], None, 7).unwrap();
    let (moved, as_drawn) = (draw(&mut matched), draw(&mut plain));
    for column in 0..2 {
        let (near, far) = (distance(&moved, column), distance(&as_drawn, column));
        assert!(near < 0.04, "column {column}: {near}");
        assert!(far > 0.15, "column {column} was near before: {far}");
    }
    // The order of the rows is that of the model.
    let ranks = |t: &Tensor| t.select(1, 0).argsort(0, false).argsort(0, false);
    let off = (ranks(&moved) - ranks(&as_drawn)).abs().max().int64_value(&[]);
    assert!(off < 20, "a row moves by {off} places");
    // The same model without it.
    let mut sampling = matched.experiment().sampling.clone();
    sampling.match_marginals = false;
    matched.set_sampling(sampling).unwrap();
    assert_eq!(draw(&mut matched), as_drawn);
}

#[test]
fn a_saved_model_draws_the_same_matched_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("params.safetensors");
    let mut model = trained(MATCHED);
    model.save(&path).unwrap();
    let mut loaded = Trained::load(model.experiment().clone(), &path).unwrap();
    let drawn = model.sample(&[50], None, 7).unwrap();
    assert_eq!(loaded.sample(&[50], None, 7).unwrap(), drawn);
    assert_eq!(trained(MATCHED).sample(&[50], None, 7).unwrap(), drawn, "trained again");
    // A row does not depend on the others.
    assert_eq!(model.sample(&[9], None, 7).unwrap(), drawn.narrow(0, 0, 9));
}

#[test]
fn given_entries_stay_as_they_are() {
    let mut model = trained(MATCHED);
    let targets = Tensor::from_slice(&[2.5_f32, f32::NAN]).repeat([30, 1]);
    let given = model.given(&targets).unwrap();
    let start = Start::Given(&given);
    let drawn = model.sample_starting(start, None, &Lengths::default(), &Streams::new(3, 0));
    let off = (drawn.unwrap().select(1, 0) - 2.5).abs().max().double_value(&[]);
    assert!(off < 1e-4, "{off}");
}

//! Paths of sequences that begin elsewhere than at noise, with the exact prediction of Gaussian
//! sequences of two lengths as the network: padding stays padding, and what is given, inverted or
//! noised follows the closed forms of each length.

use crate::common::values;
use crate::starts::conditional;
use triflow::component::{Columns, Splits};
use triflow::data::Batch;
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::tch::{Device, Kind};
use triflow::{Experiment, Lengths, Start, Trained, Trainer, sequence};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);
/// Positions and features of a row.
const SHAPE: [i64; 2] = [5, 2];
const LENGTHS: [i64; 2] = [3, 5];

triflow::component! {
    /// The exact prediction of normalised sequences from N(m, Σ), cut off at their lengths.
    pub struct ExactSequence: Crn = "exact_sequence" {}
}

impl Spec<dyn Crn> for ExactSequence {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn Crn>> {
        Ok(Box::new(self.clone()))
    }
}

/// m, `[T·d]`.
fn mean() -> Tensor {
    (Tensor::arange(SHAPE[0] * SHAPE[1], DOUBLE) * 0.8).sin()
}

/// Σ `[T·d, T·d]`: deviations from 0.5 to 1.1, correlations that decay with the distance.
fn covariance() -> Tensor {
    let at = Tensor::arange(SHAPE[0] * SHAPE[1], DOUBLE);
    let far = (at.unsqueeze(0) - at.unsqueeze(1)).abs();
    let deviation = (&at * 1.3).cos() * 0.3 + 0.8;
    (far * -0.3).exp() * deviation.unsqueeze(0) * deviation.unsqueeze(1)
}

impl Crn for ExactSequence {
    fn forward(&self, input: &CrnInput<'_>, pass: Pass) -> Result<Tensor> {
        let (z, point) = (input.state, input.reading.point());
        let there = match pass.mask {
            Some(mask) => sequence::spread(mask, z).expand_as(z).flatten(1, -1),
            None => z.ones_like().flatten(1, -1),
        };
        let of_row = covariance() * there.unsqueeze(1) * there.unsqueeze(2);
        // Without noise nothing is uncertain in the padding: any variance will do.
        let noise = &there * point.b.square() + 1.0 - &there;
        let of_z = &of_row * point.a.square() + noise.diag_embed(0, 1, 2);
        let away = z.flatten(1, -1) - &point.a * mean() * &there;
        let r = Tensor::linalg_solve(&of_z, &away.unsqueeze(2), true);
        let data = mean() * &there + of_row.matmul(&r).squeeze_dim(2) * &point.a;
        let noise = r.squeeze_dim(2) * &point.b;
        Ok(input.reading.target(&data.view_as(z), &noise.view_as(z)))
    }
}

/// The model, in units of mean 7 and deviation 3.
fn model(keys: &str) -> Trained {
    triflow_plugins::link();
    let yaml = format!(
        "{{ {keys}, task: {{ type: sequence, mode: generate }}, unconditional: true, \
           crn: exact_sequence, data: {{ type: two_moons, split: {{ train: 1, val: 0, test: 0 }} }}, \
           training: {{ precision: float64 }}, device: cpu, threads: 1, \
           sampling: {{ solver: midpoint, steps: 40 }} }}"
    );
    let _stream = seed_torch(2, Purpose::Data, 0);
    let y = Tensor::randn([60, SHAPE[0], SHAPE[1]], DOUBLE) * 3.0 + 7.0;
    let train = Columns { y: Some(y), y_lengths: Some(lengths(60)), ..Columns::default() };
    let splits = Splits { train, ..Splits::default() };
    Trainer::with_tables(Experiment::from_yaml(&yaml).unwrap(), splits).unwrap().into_trained()
}

/// The two lengths in turn.
fn lengths(n: i64) -> Tensor {
    Tensor::from_slice(&LENGTHS).repeat([n / 2])
}

fn of(n: i64) -> Lengths {
    Lengths { target: Some(lengths(n)), condition: None }
}

/// Rows of the `k`-th length without their padding, normalised and flat: `[n/2, length·d]`.
fn unpadded(rows: &Tensor, k: usize) -> Tensor {
    let all = rows.slice(0, k as i64, None, 2);
    all.narrow(1, 0, LENGTHS[k]).flatten(1, -1)
}

/// The largest value in the padding.
fn padding(rows: &Tensor) -> f64 {
    rows.slice(0, 0, None, 2).slice(1, LENGTHS[0], None, 1).abs().max().double_value(&[])
}

fn largest(difference: Tensor) -> f64 {
    difference.abs().max().double_value(&[])
}

#[test]
fn sequences_of_both_lengths_with_given_entries_have_the_conditional_mean_and_covariance() {
    let n = 4000;
    for objective in ["flow_matching", "diffusion"] {
        let mut model = model(&format!("objective: {objective}, path: rectified"));
        let units = model.units().target.clone();
        // Two entries, of the first positions; numbers in the padding, which say nothing.
        let known = [2, 5];
        let y = Tensor::from_slice(&[1.1, -0.6]);
        let row = Tensor::full([SHAPE[0] * SHAPE[1]], f64::NAN, DOUBLE);
        let row = row.index_copy(0, &Tensor::from_slice(&known), &y);
        let targets = units.undo(&row.view(SHAPE)).expand([n, -1, -1], false).contiguous();
        let _ = targets.slice(0, 0, None, 2).narrow(1, LENGTHS[0], 2).fill_(99.0);
        let given = model.given(&targets).unwrap();
        let start = Start::Given(&given);
        let drawn = model.sample_starting(start, None, &of(n), &Streams::new(4, 0)).unwrap();
        assert_eq!(drawn.size(), [n, SHAPE[0], SHAPE[1]]);
        assert_eq!(padding(&drawn), 0.0);
        let drawn = units.apply(&drawn);
        for (k, length) in LENGTHS.into_iter().enumerate() {
            let entries = length * SHAPE[1];
            let of_row = covariance().narrow(0, 0, entries).narrow(1, 0, entries);
            let (mean, covariance, unknown) =
                conditional(&mean().narrow(0, 0, entries), &of_row, &known, &y);
            let rows = unpadded(&drawn, k);
            let kept = rows.index_select(1, &Tensor::from_slice(&known));
            let off = largest(kept - &y);
            assert!(off < 1e-12, "{objective} {length}: a given entry is off by {off}");
            let free = rows.index_select(1, &Tensor::from_slice(&unknown));
            let found = free.mean_dim([0].as_slice(), false, Kind::Double);
            let scale = covariance.diagonal(0, 0, 1).sqrt();
            // Five standard errors of the 2,000 rows, and the error of the steps.
            let error = 5.0 / 2000f64.sqrt();
            let off = largest((&found - &mean) / &scale);
            assert!(off < error + 0.01, "{objective} {length}: the mean is off by {off}");
            let centred = (free - &found) / &scale;
            let found = centred.tr().matmul(&centred) / 2000.0;
            let off = largest(found - covariance / (scale.unsqueeze(0) * scale.unsqueeze(1)));
            assert!(off < error * 2f64.sqrt() + 0.02, "{objective} {length}: covariance by {off}");
        }
    }
}

/// Rows of both lengths as a batch.
fn batch(model: &Trained, n: i64) -> (Batch, Tensor) {
    let _stream = seed_torch(3, Purpose::Data, 0);
    let y = Tensor::randn([n, SHAPE[0], SHAPE[1]], DOUBLE);
    let table = Columns {
        y: Some(model.units().target.undo(&y)),
        y_lengths: Some(lengths(n)),
        ..Columns::default()
    };
    (model.units().rows(table, model.experiment()).unwrap(), y)
}

#[test]
fn inverted_sequences_are_those_of_their_length_and_come_back() {
    let mut model = model("objective: flow_matching, path: rectified");
    let (rows, y) = batch(&model, 6);
    let states = model.invert(&rows, None).unwrap();
    assert_eq!(padding(&states), 0.0);
    for (k, length) in LENGTHS.into_iter().enumerate() {
        // z_1 = m + Σ^(1/2)·z_0 along the ODE.
        let entries = length * SHAPE[1];
        let of_row = covariance().narrow(0, 0, entries).narrow(1, 0, entries);
        let (squares, axes) = of_row.linalg_eigh("L");
        let whiten = (&axes / squares.sqrt()).matmul(&axes.tr());
        let right = (unpadded(&y, k) - mean().narrow(0, 0, entries)).matmul(&whiten);
        let off = largest(unpadded(&states, k) - right);
        assert!(off < 5e-3, "{length}: {off}");
    }
    let start = Start::States { z: &states, at: None };
    let back = model.sample_starting(start, None, &of(6), &Streams::new(1, 0)).unwrap();
    assert_eq!(padding(&back), 0.0);
    let back = model.units().target.apply(&back);
    for k in [0, 1] {
        let off = largest(unpadded(&back, k) - unpadded(&y, k));
        assert!(off < 5e-3, "{off}");
    }
}

#[test]
fn noised_sequences_keep_their_padding() {
    let mut model = model("objective: flow_matching, path: rectified");
    let (rows, y) = batch(&model, 6);
    let streams = Streams::new(8, 0);
    let states = model.noised(&rows, 0.3, &streams).unwrap();
    assert_eq!(padding(&states), 0.0);
    let right = y * 0.3 + model.z0(6, Some(&streams)).unwrap() * 0.7;
    for k in [0, 1] {
        let off = largest(unpadded(&states, k) - unpadded(&right, k));
        assert!(off < 1e-12, "{off}");
    }
}

#[test]
fn a_sequence_is_completed_alike_alone_and_beside_a_longer_one() {
    let mut model = model("objective: ct, path: rectified");
    let nan = f64::NAN;
    let targets = Tensor::from_slice(&[nan, 8.0, 7.5, nan, nan, nan, 6.0, nan, nan, nan])
        .view([1, SHAPE[0], SHAPE[1]]);
    let mut draw = |n: i64| {
        let given = model.given(&targets.expand([n, -1, -1], false)).unwrap();
        let target = Some(Tensor::from_slice(&LENGTHS).narrow(0, 0, n));
        let lengths = Lengths { target, condition: None };
        let start = Start::Given(&given);
        model.sample_starting(start, None, &lengths, &Streams::new(6, 0)).unwrap().get(0)
    };
    let (alone, beside) = (draw(1), draw(2));
    let off = largest(&alone - &beside);
    assert!(off < 1e-9, "{off}");
    assert!(values(&alone).iter().all(|value| value.is_finite()));
}

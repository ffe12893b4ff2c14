//! Sequences of different lengths: the content of padding has no effect; and properties of networks
//! and data sources for sequences.

use triflow::component::*;
use triflow::data::Data;
use triflow::io::{ArrayData, NamedArray, npz};
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::tch::{Device, Kind, Tensor, nn};
use triflow::{Component, Experiment, Lengths, Trainer, sequence};
use triflow_plugins::networks::{Placement, TemporalConv, Transformer};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

fn conv(condition: Option<Placement>, causal: bool) -> TemporalConv {
    TemporalConv { width: 8, blocks: 3, causal, condition, ..TemporalConv::default() }
}

fn attention(condition: Option<Placement>, causal: bool) -> Transformer {
    Transformer { width: 8, heads: 2, blocks: 2, causal, condition, ..Transformer::default() }
}

fn networks(
    condition: Option<Placement>,
    causal: bool,
) -> [(&'static str, Component<dyn Network>); 2] {
    [
        ("temporal_conv", conv(condition, causal).into()),
        ("transformer", attention(condition, causal).into()),
    ]
}

/// A network for z `[t, 2]` and a condition `[s, 3]`, without zero weights.
fn built(network: &Component<dyn Network>, t: i64, s: i64) -> (nn::VarStore, Box<dyn Network>) {
    let _stream = seed_torch(3, Purpose::Init, 0);
    let mut vars = nn::VarStore::new(Device::Cpu);
    vars.set_kind(Kind::Double);
    let context = NetworkContext {
        vars: vars.root(),
        z_shape: vec![t, 2],
        condition_shape: Some(vec![s, 3]),
        time_features: 4,
        output_shape: vec![t, 2],
        derivatives: 0..=0,
    };
    let network = network.build(&context).unwrap();
    triflow::tch::no_grad(|| {
        for (_, mut v) in vars.variables() {
            v += v.randn_like() * 0.3;
        }
    });
    (vars, network)
}

fn normal(shape: &[i64], seed: u64) -> Tensor {
    let _stream = seed_torch(seed, Purpose::Data, 0);
    Tensor::randn(shape, DOUBLE)
}

fn far(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn a_sequence_gives_alone_what_it_gives_padded_in_a_batch() {
    for lie in [Placement::Beside, Placement::Before] {
        for (name, network) in
            networks(Some(lie), false).into_iter().chain(networks(Some(lie), true))
        {
            let (vars, padded) = built(&network, 7, 7);
            let (short_vars, short) = built(&network, 4, 4);
            let mut short_vars = short_vars;
            short_vars.copy(&vars).unwrap();
            let (z, x, time) = (normal(&[3, 7, 2], 1), normal(&[3, 7, 3], 2), normal(&[3, 4], 3));
            let mask = sequence::mask(&Tensor::from_slice(&[7_i64, 4, 2]), (3, 7), "z", DOUBLE);
            let mask = mask.unwrap().unwrap();
            let run = |network: &dyn Network,
                       z: &Tensor,
                       x: Tensor,
                       mask: Option<Tensor>,
                       time: &Tensor| {
                let condition =
                    Condition::new(x).with(None, mask.as_ref().map(Tensor::shallow_clone));
                let input = NetworkInput { z, condition: Some(&condition), time };
                network.forward(&input, Pass::EVAL.masked(mask.as_ref())).unwrap()
            };
            let keep = |t: &Tensor| sequence::keep(t, Some(&mask));
            let together = run(&*padded, &keep(&z), keep(&x), Some(mask.copy()), &time);
            let row = |t: &Tensor| t.narrow(0, 1, 1).narrow(1, 0, 4);
            let alone = run(&*short, &row(&z), row(&x), None, &time.narrow(0, 1, 1));
            let off = far(&row(&together), &alone);
            assert!(off < 1e-9, "{name} {lie:?}: {off}");
            // The condition itself has an effect.
            let other = run(&*short, &row(&z), row(&x) + 1.0, None, &time.narrow(0, 1, 1));
            assert!(far(&other, &alone) > 1e-3, "{name} {lie:?}");
        }
    }
}

#[test]
fn a_causal_network_does_not_see_what_comes_later() {
    for causal in [true, false] {
        for (name, network) in networks(Some(Placement::Before), causal) {
            let (_vars, network) = built(&network, 6, 5);
            let (z, x, time) = (normal(&[2, 6, 2], 1), normal(&[2, 5, 3], 2), normal(&[2, 4], 3));
            let condition = Condition::new(x);
            let at = |z: &Tensor| {
                let input = NetworkInput { z, condition: Some(&condition), time: &time };
                network.forward(&input, Pass::EVAL).unwrap()
            };
            let later = z.copy();
            let _ = later.narrow(1, 4, 2).fill_(5.0);
            let early = far(&at(&z).narrow(1, 0, 4), &at(&later).narrow(1, 0, 4));
            assert_eq!(early < 1e-12, causal, "{name}: {early}");
        }
    }
}

#[test]
fn every_way_of_laying_the_condition_conforms() {
    for causal in [true, false] {
        triflow::testing::conforms(conv(Some(Placement::Before), causal));
        triflow::testing::conforms(attention(Some(Placement::Before), causal));
    }
}

/// A trainer on oscillators of different lengths with `junk` in the padding.
fn trainer(network: &str, junk: f32, extra: &str) -> Trainer {
    let text = format!(
        "{{ task: {{ type: sequence, mode: predict }}, \
         data: {{ type: damped_oscillators, samples: 24, steps: 6, shortest: 2, \
         split: {{ train: 0.5, val: 0.25, test: 0.25 }} }}, \
         crn: {{ type: vanilla, network: {network} }}, training: {{ epochs: 2, batch_size: 5, \
         precision: float64, ema: null }}, device: cpu, threads: 1{extra} }}"
    );
    let experiment = Experiment::from_yaml(&text).unwrap();
    let context = DataContext::new(5, ".");
    let mut splits = experiment.data.build(&context).unwrap().load().unwrap();
    let fill = |values: &Option<Tensor>, lengths: &Option<Tensor>| {
        let (values, lengths) = (values.as_ref()?, lengths.as_ref()?);
        let size = (values.size()[0], values.size()[1]);
        let mask = sequence::mask(lengths, size, "x", (Kind::Float, Device::Cpu)).unwrap()?;
        Some(values.masked_fill(&sequence::spread(&mask, values).eq(0.0), f64::from(junk)))
    };
    let table = &mut splits.train;
    table.x = fill(&table.x, &table.x_lengths);
    table.y = fill(&table.y, &table.y_lengths);
    Trainer::with_tables(experiment, splits).unwrap()
}

#[test]
fn what_stands_in_the_padding_changes_nothing() {
    let encoded = ", latent_shape: [4], encoder: { type: mlp, hidden_dims: [8] }, \
                   decoder: { type: mlp, hidden_dims: [8] }";
    let diffusion = ", objective: diffusion, loss: { recon_weight: 0.5, reg_weight: 0.1 }";
    let conv = "{ type: temporal_conv, width: 8, blocks: 2, condition: before }";
    let attention = "{ type: transformer, width: 8, heads: 2, blocks: 1 }";
    let mlp = "{ type: mlp, hidden_dims: [8] }";
    for (network, extra) in [(conv, ""), (attention, diffusion), (mlp, ""), (mlp, encoded)] {
        let run = |junk: f32| {
            let mut trainer = trainer(network, junk, extra);
            trainer.fit(&mut |_, _| Ok(triflow::train::Control::Continue)).unwrap();
            trainer
        };
        let (mut one, mut other) = (run(0.0), run(f32::NAN));
        assert_eq!(one.history(), other.history());
        let error_of = |trainer: &mut Trainer| {
            let (model, data) = trainer.trained_mut();
            let held = data.held_out(100).unwrap();
            let found = triflow::measure::evaluate(model, &held, &Default::default()).unwrap();
            found.to_json().to_string()
        };
        assert_eq!(error_of(&mut one), error_of(&mut other));
    }
}

#[test]
fn a_prediction_is_as_long_as_asked_and_zero_behind() {
    let mut trainer = trainer("{ type: transformer, width: 8, heads: 2, blocks: 1 }", 0.0, "");
    trainer.fit(&mut |_, _| Ok(triflow::train::Control::Continue)).unwrap();
    let (model, _) = trainer.trained_mut();
    let x = normal(&[2, 6, 2], 4);
    let three = || Some(Tensor::from_slice(&[3_i64, 6]));
    let lengths = Lengths { condition: three(), target: three() };
    let error = model.generate_sequences(&x, &lengths, Some(&Streams::new(1, 0))).unwrap();
    assert_eq!(error.size(), [2, 6, 1]);
    assert_eq!(error.get(0).narrow(0, 3, 3).abs().max().double_value(&[]), 0.0);
    assert!(error.get(0).narrow(0, 0, 3).abs().min().double_value(&[]) > 0.0);
    // Values of x after its end have no effect.
    let other = x.copy();
    let _ = other.get(0).narrow(0, 3, 3).fill_(9.0);
    assert!(
        far(
            &error,
            &model.generate_sequences(&other, &lengths, Some(&Streams::new(1, 0))).unwrap()
        ) < 1e-12
    );
}

#[test]
fn sequences_are_normalised_by_what_is_there_feature_by_feature() {
    let x = normal(&[400, 5, 2], 6) * Tensor::from_slice(&[3.0, 0.1])
        + Tensor::from_slice(&[7.0, -2.0]);
    let lengths = Tensor::randint_low(1, 6, [400], (Kind::Int64, Device::Cpu));
    let table = Columns {
        x: Some(x.shallow_clone()),
        y: Some(x),
        x_lengths: Some(lengths.copy()),
        y_lengths: Some(lengths),
        ..Columns::default()
    };
    let splits = Splits { train: table, ..Splits::default() };
    let text =
        "{ task: sequence, data: { type: two_moons, split: { train: 1, val: 0, test: 0 } } }";
    let experiment = Experiment::from_yaml(text).unwrap();
    let (data, units) = Data::from_splits(&experiment, splits, DOUBLE).unwrap();
    let train = data.train.all().unwrap();
    let there = sequence::positions(&train.target, train.mask.as_ref());
    let (mean, deviation) = (
        there.mean_dim([0].as_slice(), false, Kind::Double),
        there.std_dim([0].as_slice(), false, false),
    );
    assert!(
        far(&mean, &mean.zeros_like()) < 1e-9 && far(&deviation, &deviation.ones_like()) < 1e-9
    );
    assert!(far(&units.target.mean, &Tensor::from_slice(&[7.0, -2.0])) < 0.5);
}

#[test]
fn oscillators_and_lorenz_are_what_they_say() {
    let load = |text: &str| {
        let experiment = Experiment::from_yaml(&format!("{{ data: {text} }}")).unwrap();
        experiment.data.build(&DataContext::new(1, ".")).unwrap().load().unwrap().train
    };
    // The same series with and without noise: the noise has its deviation, in units of A.
    let noisy = load("{ type: damped_oscillators, samples: 2000 }");
    let clean = load("{ type: damped_oscillators, samples: 2000, target_noise: 0 }");
    assert!(noisy.x.as_ref().unwrap().equal(clean.x.as_ref().unwrap()));
    let (noisy, clean) = (noisy.y.unwrap(), clean.y.unwrap());
    assert_eq!(clean.size(), [2000, 32, 1]);
    let square = (noisy - &clean).square().mean(Kind::Double).double_value(&[]);
    // The mean of A² is 1 + 1/12.
    assert!((square / (0.0025 * 13.0 / 12.0) - 1.0).abs() < 0.05, "{square}");
    // The equation y'' + 2λy' + (λ² + ω²)y = 0 in steps of h, for each series:
    // y(t+h) + e^(−2λh)·y(t−h) = 2e^(−λh)·cos(ωh)·y(t).
    let y = clean.to_kind(Kind::Double).squeeze_dim(2);
    let (before, at, after) = (y.narrow(1, 0, 30), y.narrow(1, 1, 30), y.narrow(1, 2, 30));
    let system = Tensor::stack(&[at, before.neg()], 2);
    let (solution, ..) = system.linalg_lstsq(&after.unsqueeze(2), None, "gelsd");
    let rest = system.matmul(&solution).squeeze_dim(2) - &after;
    assert!(far(&rest, &rest.zeros_like()) < 1e-5);

    let lorenz = load("{ type: lorenz, samples: 300 }");
    let (x, y) = (lorenz.x.unwrap().to_kind(Kind::Double), lorenz.y.unwrap().to_kind(Kind::Double));
    let path = Tensor::cat(&[x, y], 1);
    assert_eq!(path.size(), [300, 64, 3]);
    // Central differences agree with the vector field.
    let at = path.narrow(1, 1, 62);
    let slope = (path.narrow(1, 2, 62) - path.narrow(1, 0, 62)) / 0.04;
    let c = |i| at.select(2, i);
    let field = Tensor::stack(
        &[
            (c(1) - c(0)) * 10.0,
            c(0) * (c(2) * -1.0 + 28.0) - c(1),
            c(0) * c(1) - c(2) * (8.0 / 3.0),
        ],
        2,
    );
    let off = (slope - &field).square().mean(Kind::Double).sqrt()
        / field.square().mean(Kind::Double).sqrt();
    assert!(off.double_value(&[]) < 0.03, "{off:?}");
    // The attractor's mean of z is about 23.5.
    let mean = path.select(2, 2).mean(Kind::Double).double_value(&[]);
    assert!((mean - 23.5).abs() < 1.0, "{mean}");
}

#[test]
fn what_is_no_sequence_is_refused() {
    let error_of = |text: &str| {
        let experiment = Experiment::from_yaml(text).unwrap();
        Trainer::new(experiment, ".".as_ref()).unwrap_err().to_string()
    };
    let message = error_of("{ crn: { type: vanilla, network: temporal_conv } }");
    assert!(message.contains("maps sequences to sequences"), "{message}");
    let message =
        error_of("{ task: sequence, unconditional: true, data: { type: lorenz, samples: 50 } }");
    assert!(message.contains("a prediction has a condition"), "{message}");
    let message = error_of(
        "{ task: { type: sequence, mode: generate }, unconditional: true, coupling: ot_exact, \
         data: { type: lorenz, samples: 50, shortest: 9 } }",
    );
    assert!(message.contains("of different lengths cannot be paired"), "{message}");
    let message = error_of(
        "{ task: sequence, data: { type: lorenz, samples: 50 }, crn: { type: potential, network: transformer } }",
    );
    assert!(message.contains("maps sequences to sequences"), "{message}");
}

#[test]
fn padding_without_lengths_says_which_lengths_are_missing() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.npz");
    let error_of = |source: &str, arrays: &[(&str, &[usize], ArrayData)]| {
        let arrays: Vec<_> = arrays
            .iter()
            .map(|(name, shape, data)| {
                NamedArray::new(*name, shape.to_vec(), data.clone()).unwrap()
            })
            .collect();
        npz::write_npz(&path, &arrays).unwrap();
        let yaml = format!("{{ type: {source}, path: '{}' }}", path.display());
        let source: Component<dyn DataSource> = serde_yaml::from_str(&yaml).unwrap();
        let built = source.build(&DataContext::new(1, "")).unwrap();
        let error = built.load().unwrap_err().to_string();
        error.strip_prefix(&format!("{}: array ", path.display())).unwrap().to_owned()
    };
    let nan = f32::NAN;
    let x = |name| (name, &[2, 3][..], ArrayData::from(vec![1.0_f32, nan, nan, 4.0, 5.0, 6.0]));
    let y = ("y", &[2, 3][..], ArrayData::from(vec![1.0_f32; 6]));
    let missing =
        "is NaN from position 1 to its end, as padding is; give the length of each row in an array";
    assert_eq!(
        error_of("sequences", &[x("x"), y.clone()]),
        format!(
            "`x`: row 0 (counted from 0) {missing} `x_lengths` of 2 integers, here 1 (or `lengths` for both x and y)"
        )
    );
    assert_eq!(
        error_of("sequences", &[y.clone(), ("x", &[2, 3], vec![1.0_f32; 6].into()), x("x_val")]),
        format!(
            "`x_val`: row 0 (counted from 0) {missing} `x_lengths_val` of 2 integers, here 1 (or `lengths_val` for both x and y)"
        )
    );
    assert_eq!(
        error_of("sequences", &[x("x"), y.clone(), ("lengths", &[2], vec![2_i64, 3].into())]),
        "`x`: row 0 (counted from 0) is NaN from position 1 on, as padding is, but its length is 2; the integers \
         in `x_lengths` (or `lengths`) give the length of each row, here 1"
    );
    // A gap in a table is an error, unlike the padding of a sequence.
    let error = error_of("npz", &[x("x"), y]);
    assert!(error.starts_with("`x`: row 0 (counted from 0) holds NaN;"), "{error}");
}

#[test]
fn a_sequence_may_be_unknown_up_to_its_end() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.npz");
    let values = vec![1.0_f32, f32::NAN, f32::NAN, 4.0, 5.0, f32::NAN];
    let y = NamedArray::new("y", vec![2, 3, 1], ArrayData::from(values)).unwrap();
    let experiment = Experiment::from_yaml("{ task: sequence, data: lorenz }").unwrap();
    let known = |arrays: &[NamedArray]| -> Vec<bool> {
        npz::write_npz(&path, arrays).unwrap();
        let table = triflow::data::files::read_incomplete(&experiment, &path, Part::Y).unwrap();
        Vec::try_from(table.y.unwrap().isnan().logical_not().view([-1])).unwrap()
    };
    assert_eq!(known(std::slice::from_ref(&y)), [true, false, false, true, true, false]);
    // Padding is no unknown entry: it is cleared.
    let lengths = NamedArray::new("y_lengths", vec![2], vec![2_i64, 3]).unwrap();
    assert_eq!(known(&[y, lengths]), [true, false, true, true, true, false]);
}

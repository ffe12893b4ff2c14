//! Dependencies of a draw: its z_0, its condition and the current parameters, but no earlier draw
//! and no other row.

use std::sync::{Arc, Mutex};
use triflow::component::{Columns, Condition, Splits};
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::tch::{Device, Kind, Tensor};
use triflow::train::Control;
use triflow::{Trained, Trainer};

/// A regression of one number on two after a few large steps, whose parameters are far from their
/// EMA.
fn learned() -> Trained {
    triflow_plugins::link();
    let _stream = seed_torch(5, Purpose::Data, 0);
    let x = Tensor::randn([64, 2], (Kind::Float, Device::Cpu));
    let y = x.sum_dim_intlist([1].as_slice(), true, Kind::Float);
    let train = Columns { x: Some(x), y: Some(y), ..Columns::default() };
    let mut layers = triflow::config::Layers::new().unwrap();
    let yaml = "{ device: cpu, task: regression, sampling: { steps: 5 }, training: { epochs: 2, batch_size: 16, \
                ema: 0.9, optimizer: { type: adam, learning_rate: 0.02 } } }";
    layers.add_text(yaml, "test").unwrap();
    let splits = Splits { train, ..Splits::default() };
    let mut trainer = Trainer::with_tables(layers.finish().unwrap(), splits).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    trainer.into_trained()
}

/// Rows of z_0 and of the condition.
fn rows(trained: &Trained, n: i64) -> (Tensor, Tensor) {
    let _stream = seed_torch(6, Purpose::Data, 0);
    let condition = Tensor::randn([n, 2], (Kind::Float, Device::Cpu));
    (trained.z0(n, Some(&Streams::new(1, 0))).unwrap(), condition)
}

fn draw(trained: &mut Trained, z0: &Tensor, condition: &Condition) -> Tensor {
    let plan = trained.plan();
    trained.sample_latents(z0, Some(condition), &plan, &mut ()).unwrap().z
}

#[test]
fn one_condition_is_sampled_with_the_parameters_of_the_moment() {
    let mut trained = learned();
    let (z0, condition) = rows(&trained, 9);
    let fresh = || Condition::new(condition.shallow_clone());
    let kept = fresh();
    let mut sampling = trained.experiment().sampling.clone();
    let mut drawn = Vec::new();
    for use_ema in [true, false, true] {
        sampling.use_ema = use_ema;
        trained.set_sampling(sampling.clone()).unwrap();
        let again = draw(&mut trained, &z0, &kept);
        assert_eq!(again, draw(&mut trained, &z0, &fresh()), "use_ema: {use_ema}");
        drawn.push(again);
    }
    assert_eq!(drawn[0], drawn[2]);
    assert!((&drawn[0] - &drawn[1]).abs().max().double_value(&[]) > 1e-3);
}

#[test]
fn rows_drawn_together_are_those_drawn_separately() {
    let mut trained = learned();
    let (z0, condition) = rows(&trained, 700);
    let mut part = |from: i64, n: i64| {
        let condition = Condition::new(condition.narrow(0, from, n));
        draw(&mut trained, &z0.narrow(0, from, n), &condition)
    };
    let together = part(0, 700);
    for parts in [vec![300, 400], vec![1, 699], vec![250, 250, 200]] {
        let mut from = 0;
        let separate: Vec<Tensor> = parts
            .iter()
            .map(|&n| {
                from += n;
                part(from - n, n)
            })
            .collect();
        let off = (Tensor::cat(&separate, 0) - &together).abs().max().double_value(&[]);
        assert!(off < 1e-5, "{parts:?}: {off}");
    }
}

/// A model of two moons given their label, after a few training steps, sampled in a few steps.
fn moons() -> Trained {
    triflow_plugins::link();
    let yaml = "{ device: cpu, task: generation, data: { samples: 160 }, sampling: { steps: 3, use_ema: false }, \
                training: { epochs: 10, batch_size: 16, precision: float64, \
                optimizer: { type: adam, learning_rate: 0.03 } }, \
                crn: { time_embedding: { dim: 6 }, network: { hidden_dims: [5, 4, 3] } } }";
    let experiment = triflow::Experiment::from_yaml(yaml).unwrap();
    let mut trainer = Trainer::new(experiment, std::path::Path::new("")).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    trainer.into_trained()
}

/// Follows docs/sampling.md, "A sample followed elsewhere", with the named parameters alone.
#[test]
fn a_sample_is_followed_from_its_z0_as_the_guide_says() {
    let mut trained = moons();
    let labels = Tensor::from_slice(&[0_i64, 1, 1, 0, 1]);
    let samples = trained.generate(&labels, None, Some(4)).unwrap();
    let parameters: std::collections::HashMap<_, _> = trained.parameters().into_iter().collect();
    let linear = |x: &Tensor, name: &str| {
        let parameter = |what: &str| &parameters[&format!("{name}.{what}")];
        x.matmul(&parameter("weight").transpose(0, 1)) + parameter("bias")
    };
    let swish = |y: Tensor| &y * y.sigmoid();
    let layers = |x: &Tensor, name: &str| {
        let named = (0..).map(|l| format!("{name}.layer_{l}"));
        let there = named.take_while(|name| parameters.contains_key(&format!("{name}.weight")));
        there.fold(x.shallow_clone(), |x, name| swish(linear(&x, &name)))
    };
    let (dim, scale, options) = (6, 10.0, (Kind::Double, Device::Cpu));
    let condition = labels.one_hot(2).to_kind(Kind::Double);
    let velocity = |z: &Tensor, t: f64| {
        let i = Tensor::arange(dim / 2, options);
        let angle = (i * (-(1e4_f64.ln()) / (dim / 2 - 1) as f64)).exp() * (scale * t);
        let time = Tensor::cat(&[angle.sin(), angle.cos()], 0).repeat([5, 1]);
        let features = layers(&condition, "crn.network.condition");
        let inputs = Tensor::cat(&[z, &time, &features], 1);
        let h = layers(&swish(linear(&inputs, "crn.network.join")), "crn.network.body");
        linear(&h, "crn.network.out") + linear(&time, "crn.skip") / (dim as f64).sqrt() * z
    };
    let mut z = trained.z0(5, Some(&Streams::new(4, 0))).unwrap();
    let (steps, h) = (3, 1.0 / 3.0);
    for i in 0..steps {
        let t = f64::from(i) * h;
        let middle = &z + velocity(&z, t) * (h / 2.0);
        z = &z + velocity(&middle, t + h / 2.0) * h;
    }
    let followed = trained.units().target.undo(&z);
    let off = (&followed - &samples).abs().max().double_value(&[]);
    assert!(off < 1e-12, "{off}");
    let moved = (&followed
        - trained.units().target.undo(&trained.z0(5, Some(&Streams::new(4, 0))).unwrap()))
    .abs();
    assert!(moved.max().double_value(&[]) > 0.1, "{moved}");
}

/// A small model of points in the plane, with the settings of `yaml`.
fn generator(yaml: &str) -> Trained {
    triflow_plugins::link();
    let _stream = seed_torch(7, Purpose::Data, 0);
    let x = Tensor::randn([64, 2], (Kind::Float, Device::Cpu));
    let train = Columns { x: Some(x), ..Columns::default() };
    let mut layers = triflow::config::Layers::new().unwrap();
    let base = "{ device: cpu, task: generation, unconditional: true, data: { type: two_moons }, sampling: { steps: 6 }, \
                crn: { network: { hidden_dims: [16] } }, training: { epochs: 1, batch_size: 32, seed: 3 } }";
    layers.add_text(base, "base").unwrap();
    layers.add_text(yaml, "test").unwrap();
    let splits = Splits { train, ..Splits::default() };
    let mut trainer = Trainer::with_tables(layers.finish().unwrap(), splits).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    trainer.into_trained()
}

fn far(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

/// Settings with every source, and with every solver that draws noise.
const DRAWING: [&str; 9] = [
    "{}",
    "{ source: uniform }",
    "{ source: eight_gaussians }",
    "{ source: { type: data, data: { type: two_moons, samples: 50 } } }",
    "{ sampling: { noise: sobol } }",
    "{ sampling: { solver: ancestral } }",
    "{ sampling: { solver: { type: dpmpp, eta: 1 } } }",
    "{ sampling: { solver: { type: euler_maruyama, eta: 1 } } }",
    "{ objective: diffusion, sampling: { solver: { type: heun_edm, churn: 2 } } }",
];

#[test]
fn fewer_samples_of_a_seed_are_the_first_of_more_whatever_the_block() {
    for yaml in DRAWING {
        let mut model = generator(yaml);
        let all = model.sample(&[100], None, 7).unwrap();
        for n in [1, 17] {
            let off = far(&model.sample(&[n], None, 7).unwrap(), &all.narrow(0, 0, n));
            assert!(off < 1e-5, "{yaml}: {n} samples are off by {off}");
        }
        for block in [1, 30, 64] {
            let mut sampling = model.experiment().sampling.clone();
            sampling.block = Some(block);
            model.set_sampling(sampling).unwrap();
            let off = far(&model.sample(&[100], None, 7).unwrap(), &all);
            assert!(off < 1e-5, "{yaml}: off by {off} in blocks of {block}");
        }
        assert!(far(&model.sample(&[100], None, 8).unwrap(), &all) > 0.1, "{yaml}");
    }
}

#[test]
fn an_observer_learns_of_every_block_of_rows_and_changes_none() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut model = generator("{ sampling: { block: 4 } }");
    let alone = model.sample(&[10], None, 7).unwrap();
    let to = told.clone();
    model.observe_rows(move |rows| {
        to.lock().unwrap().push(rows);
        Ok(())
    });
    assert!(model.sample(&[10], None, 7).unwrap().equal(&alone));
    assert_eq!(*told.lock().unwrap(), [4, 4, 2]);
}

#[test]
fn a_seed_of_its_own_makes_a_sample_as_it_does_alone() {
    for yaml in ["{}", "{ sampling: { solver: ancestral, block: 2 } }"] {
        let mut model = generator(yaml);
        let seeds = [9, 7, 9, 1 << 63];
        let own = model.sample_from(4, None, &Streams::of_seeds(&seeds)).unwrap();
        for (i, seed) in seeds.into_iter().enumerate() {
            let alone = model.sample(&[1], None, seed).unwrap();
            assert!(far(&own.narrow(0, i as i64, 1), &alone) < 1e-5, "{yaml} {seed}");
        }
        assert!(model.sample_from(5, None, &Streams::of_seeds(&seeds)).is_err());
    }
}

#[test]
fn draws_of_a_prediction_do_not_depend_on_the_other_rows() {
    let mut trained = learned();
    let (_, condition) = rows(&trained, 40);
    let all = trained.predict(&condition, Some(7), 5).unwrap();
    let few = trained.predict(&condition.narrow(0, 0, 3), Some(7), 5).unwrap();
    assert!(far(&few.mean, &all.mean.narrow(0, 0, 3)) < 1e-5);
    assert!(far(&few.deviation, &all.deviation.narrow(0, 0, 3)) < 1e-5);
    assert!(few.deviation.min().double_value(&[]) > 0.0);
    let others = Tensor::cat(&[condition.narrow(0, 0, 3), &condition.narrow(0, 3, 37) * 5.0], 0);
    let beside = trained.predict(&others, Some(7), 5).unwrap();
    assert!(far(&beside.mean.narrow(0, 0, 3), &few.mean) < 1e-5);
}

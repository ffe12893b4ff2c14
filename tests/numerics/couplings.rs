//! Couplings pair rows as documented, and training does not depend on the timing of the pairing
//! thread.

use std::path::Path;
use triflow::component::{Columns, Coupling, CouplingContext, Pairing, Splits};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::run::{self, RunObserver};
use triflow::tch::{Device, Kind};
use triflow::train::{Control, Event};
use triflow::{Experiment, Trainer};

fn coupling(yaml: &str, condition: Option<i64>) -> Box<dyn Coupling> {
    triflow_plugins::link();
    let component: Component<dyn Coupling> = serde_yaml::from_str(yaml).unwrap();
    let context = CouplingContext {
        z_shape: vec![2],
        condition_shape: condition.map(|width| vec![width]),
        conditions_repeat: None,
    };
    component.build(&context).unwrap()
}

fn normal(seed: u64, n: i64, dim: i64) -> Vec<f64> {
    let _stream = seed_torch(seed, Purpose::Data, 0);
    let drawn = Tensor::randn([n, dim], (Kind::Double, Device::Cpu));
    Vec::try_from(drawn.reshape([-1])).unwrap()
}

/// Rows with z_0 around 0 and z_1 around ±2, by an alternating one-hot class.
struct Batch {
    source: Vec<f64>,
    target: Vec<f64>,
    condition: Vec<f64>,
}

impl Batch {
    fn new(seed: u64, n: i64) -> Self {
        let side = |i: usize| if (i / 2).is_multiple_of(2) { 2.0 } else { -2.0 };
        let target = normal(seed + 100, n, 2);
        let target = target.iter().enumerate().map(|(i, v)| v + side(i)).collect();
        let condition = (0..n).flat_map(|i| [(1 - i % 2) as f64, (i % 2) as f64]).collect();
        Self { source: normal(seed, n, 2), target, condition }
    }

    fn pair(&self, coupling: &dyn Coupling, seed: u64) -> Vec<usize> {
        let points = |values| Points::new(values, 2).unwrap();
        let (source, target) = (points(&self.source), points(&self.target));
        let condition = Some(points(&self.condition));
        coupling.pair(&Pairing { source, target, condition, seed }).unwrap()
    }

    fn n(&self) -> usize {
        self.source.len() / 2
    }

    /// Mean squared distance of pairs.
    fn cost(&self, pairs: &[usize]) -> f64 {
        let squared = |(i, j): (usize, &usize)| -> f64 {
            (0..2).map(|k| (self.target[2 * i + k] - self.source[2 * j + k]).powi(2)).sum()
        };
        pairs.iter().enumerate().map(squared).sum::<f64>() / self.n() as f64
    }

    fn identity(&self) -> Vec<usize> {
        (0..self.n()).collect()
    }
}

fn is_permutation(pairs: &[usize]) -> bool {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    sorted.into_iter().eq(0..pairs.len())
}

/// All permutations of 0..n.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = orders(n - 1);
    let longer = |at: usize| {
        shorter.iter().map(move |order| {
            let mut order = order.clone();
            order.insert(at, n - 1);
            order
        })
    };
    (0..n).flat_map(longer).collect()
}

#[test]
fn exact_transport_has_the_least_cost_of_all_orders() {
    let exact = coupling("ot_exact", None);
    for seed in 0..5 {
        let batch = Batch::new(seed, 7);
        let pairs = batch.pair(&*exact, 0);
        assert!(is_permutation(&pairs));
        let least = orders(7).iter().map(|o| batch.cost(o)).fold(f64::INFINITY, f64::min);
        assert!((batch.cost(&pairs) - least).abs() < 1e-12 * least, "{seed}");
    }
    for seed in 0..5 {
        let batch = Batch::new(seed, 200);
        let pairs = batch.pair(&*exact, 0);
        assert!(is_permutation(&pairs));
        assert!(batch.cost(&pairs) <= batch.cost(&batch.identity()));
    }
}

#[test]
fn the_entropic_plan_approaches_exact_transport_as_epsilon_falls() {
    let batch = Batch::new(1, 60);
    let exact = batch.cost(&batch.pair(&*coupling("ot_exact", None), 0));
    let independent = {
        let shifted = |by: usize| (0..60).map(|i| (i + by) % 60).collect::<Vec<_>>();
        (0..60).map(|by| batch.cost(&shifted(by))).sum::<f64>() / 60.0
    };
    // Each cost is a mean over 40 draws of pairs.
    let cost = |epsilon: f64| {
        let sinkhorn = format!("{{ type: ot_sinkhorn, epsilon: {epsilon}, iterations: 5000 }}");
        let sinkhorn = coupling(&sinkhorn, None);
        (0..40).map(|seed| batch.cost(&batch.pair(&*sinkhorn, seed))).sum::<f64>() / 40.0
    };
    let [wide, middle, narrow, tiny] = [100.0, 0.3, 0.03, 0.0005].map(cost);
    assert!((wide / independent - 1.0).abs() < 0.1, "{wide} against {independent}");
    assert!(wide > middle && middle > narrow, "{wide} {middle} {narrow}");
    assert!(narrow / exact < 1.3, "{narrow} against {exact}");
    assert!((tiny / exact - 1.0).abs() < 0.01, "{tiny} against {exact}");
}

#[test]
fn conditional_transport_pairs_within_a_class_and_as_well_as_can_be() {
    let batch = Batch::new(3, 12);
    let class = |i: usize| batch.condition[2 * i] == 1.0;
    let pairs = batch.pair(&*coupling("ot_conditional", Some(2)), 0);
    assert!(is_permutation(&pairs));
    assert!(pairs.iter().enumerate().all(|(i, j)| class(i) == class(*j)), "{pairs:?}");
    // Among the rows with even indices, all of one class, no other order is better.
    let squared = |i: usize, j: usize| -> f64 {
        (0..2).map(|k| (batch.target[2 * i + k] - batch.source[2 * j + k]).powi(2)).sum()
    };
    let cost = |order: &Vec<usize>| -> f64 {
        order.iter().enumerate().map(|(i, j)| squared(2 * i, 2 * j)).sum()
    };
    let least = orders(6).iter().map(cost).fold(f64::INFINITY, f64::min);
    let even: f64 = (0..12).step_by(2).map(|i| squared(i, pairs[i])).sum();
    assert!((even - least).abs() < 1e-9, "{even} against {least}");
}

/// Mean squared distance between the conditions of pairs, for conditions that are numbers.
fn condition_distance(ratio: f64) -> f64 {
    let n = 120;
    let batch = Batch::new(5, n);
    let condition: Vec<f64> = batch.target.chunks(2).map(|row| row[0]).collect();
    let points = |values| Points::new(values, 2).unwrap();
    let rows = Pairing {
        source: points(&batch.source),
        target: points(&batch.target),
        condition: Some(Points::new(&condition, 1).unwrap()),
        seed: 0,
    };
    let coupling = coupling(&format!("{{ type: ot_conditional, ratio: {ratio} }}"), Some(1));
    let pairs = coupling.pair(&rows).unwrap();
    assert!(is_permutation(&pairs));
    let squares = pairs.iter().enumerate().map(|(i, j)| (condition[i] - condition[*j]).powi(2));
    squares.sum::<f64>() / n as f64
}

#[test]
fn a_smaller_ratio_keeps_conditions_that_are_numbers_better() {
    let [open, middle, strict] = [1.0, 0.05, 0.01].map(condition_distance);
    assert!(strict < middle && middle < open, "{strict} {middle} {open}");
    assert!(strict < 0.02 * open, "{strict} {open}");
    assert_eq!(condition_distance(1.0 / 14400.0), 0.0);
}

#[test]
fn a_row_that_is_alone_with_its_condition_keeps_its_own_z_0() {
    // Of the classes 0, 1, 2, 2 the first two rows are paired with themselves, the last two either
    // way.
    let batch = Batch::new(5, 4);
    let classes = [0, 1, 2, 2];
    let condition: Vec<f64> =
        classes.iter().flat_map(|c| (0..3).map(move |k| f64::from(*c == k))).collect();
    let pairs = |rows: usize| {
        let points = |values, dim| Points::new(values, dim).unwrap();
        let rows = Pairing {
            source: points(&batch.source[..2 * rows], 2),
            target: points(&batch.target[..2 * rows], 2),
            condition: Some(points(&condition[..3 * rows], 3)),
            seed: 0,
        };
        coupling("ot_conditional", Some(3)).pair(&rows).unwrap()
    };
    assert_eq!(pairs(4)[..2], [0, 1]);
    // All labels of a small last batch differ.
    assert_eq!(pairs(2), [0, 1]);
}

#[test]
fn a_last_batch_without_equal_labels_does_not_end_training() {
    // 18 rows of 2 classes in batches of 16: the last batch has 2 rows, in some epoch one of each
    // class.
    let _stream = seed_torch(5, Purpose::Data, 0);
    let table = |n: i64| Columns {
        x: Some(Tensor::randn([n, 2], (Kind::Float, Device::Cpu))),
        y: Some(Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(2)),
        ..Columns::default()
    };
    triflow_plugins::link();
    let yaml = "{ coupling: ot_conditional, device: cpu, training: { epochs: 8, batch_size: 16 } }";
    // The two validation rows have different classes as well.
    let splits = Splits { train: table(18), val: Some(table(2)), ..Splits::default() };
    let mut trainer = Trainer::with_tables(Experiment::from_yaml(yaml).unwrap(), splits).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
}

#[test]
fn two_rows_are_paired_as_the_entropic_plan_says() {
    // The costs are 0 on the diagonal and 4 off it, with mean 2: P(own) = 1/(1 + exp(−4/(2ε))).
    let (source, target) = ([0.0, 2.0], [0.0, 2.0]);
    for epsilon in [0.5_f64, 1.0, 3.0] {
        let coupling = coupling(&format!("{{ type: ot_sinkhorn, epsilon: {epsilon} }}"), None);
        let draws = 20_000;
        let own = |seed| {
            let points = |values| Points::new(values, 1).unwrap();
            let rows =
                Pairing { source: points(&source), target: points(&target), condition: None, seed };
            coupling.pair(&rows).unwrap().iter().enumerate().filter(|(i, j)| i == *j).count()
        };
        let share = (0..draws).map(own).sum::<usize>() as f64 / (2 * draws) as f64;
        let exact = 1.0 / (1.0 + (-2.0 / epsilon).exp());
        let error = (exact * (1.0 - exact) / (2 * draws) as f64).sqrt();
        assert!((share - exact).abs() < 5.0 * error, "{epsilon}: {share} for {exact} ± {error}");
    }
}

#[test]
fn the_weight_of_the_condition_is_that_which_leaves_the_share_of_cheaper_pairs() {
    // Swapping the pairs saves costs of 0.9975 and 0.9025 at conditions with distance 1. If three
    // quarters of the four pairs are kept, the weight is 0.9975; if all are, it is 0.9025.
    let (source, target, condition) = ([1.0, 0.05], [0.0, 1.0], [0.0, 1.0]);
    let points = |values| Points::new(values, 1).unwrap();
    let rows = Pairing {
        source: points(&source),
        target: points(&target),
        condition: Some(points(&condition)),
        seed: 0,
    };
    for (ratio, expected) in [(0.75, [0, 1]), (1.0, [1, 0])] {
        let coupling = coupling(&format!("{{ type: ot_conditional, ratio: {ratio} }}"), Some(1));
        assert_eq!(coupling.pair(&rows).unwrap(), expected, "ratio {ratio}");
    }
}

/// 90 points around (2, 0) or (−2, 0), with the side as their label.
fn points() -> Splits {
    let _stream = seed_torch(5, Purpose::Data, 0);
    let y = Tensor::arange(90, (Kind::Int64, Device::Cpu)).remainder(2);
    let side = Tensor::stack(&[&y * 4.0 - 2.0, y.zeros_like()], 1).to_kind(Kind::Float);
    let x = Tensor::randn([90, 2], (Kind::Float, Device::Cpu)) * 0.3 + side;
    Splits { train: Columns { x: Some(x), y: Some(y), ..Columns::default() }, ..Splits::default() }
}

fn trainer(yaml: &str) -> Result<Trainer> {
    triflow_plugins::link();
    let base =
        "{ device: cpu, data: { standardise: false }, training: { epochs: 1, batch_size: 16 } }";
    let mut layers = triflow::config::Layers::new()?;
    layers.add_text(base, "base")?;
    layers.add_text(yaml, "test")?;
    Trainer::with_tables(layers.finish()?, points())
}

fn error_of(yaml: &str) -> String {
    trainer(yaml).err().unwrap_or_else(|| panic!("{yaml} is taken")).to_string()
}

#[test]
fn a_coupling_that_would_bias_a_conditional_model_is_refused_unless_it_is_asked_for() {
    for biased in ["ot_exact", "ot_sinkhorn"] {
        let message = error_of(&format!("{{ coupling: {biased} }}"));
        assert!(message.contains("samples would be biased"), "{message}");
        assert!(
            message.contains("keeps the condition") && message.contains("allow_biased"),
            "{message}"
        );
        assert!(trainer(&format!("{{ coupling: {biased}, unconditional: true }}")).is_ok());
        let allowed = format!("{{ coupling: {{ type: {biased}, allow_biased: true }} }}");
        assert!(trainer(&allowed).is_ok());
    }
    assert!(trainer("{ coupling: ot_conditional }").is_ok());
    let message = error_of("{ coupling: ot_conditional, unconditional: true }");
    assert!(
        message.contains("no condition to keep") && message.contains("at coupling"),
        "{message}"
    );
}

#[test]
fn what_a_coupling_cannot_serve_is_refused() {
    let message =
        error_of("{ coupling: ot_conditional, encoder: mlp, latent_shape: [2], decoder: mlp }");
    assert!(message.contains("an encoder with parameters"), "{message}");
    let message = error_of("{ coupling: { type: ot_conditional, batch: 24 } }");
    assert!(message.contains("a multiple of training.batch_size, 16, got 24"), "{message}");
    assert!(message.contains("at coupling.batch"), "{message}");
    let message = error_of("{ coupling: { type: ot_sinkhorn, epsilon: 0, allow_biased: true } }");
    assert!(message.contains("at coupling.epsilon"), "{message}");
}

#[test]
fn training_ends_where_a_coupling_fails_with_what_it_says() {
    // As numbers, all conditions differ.
    let _stream = seed_torch(5, Purpose::Data, 0);
    let x = Tensor::randn([64, 2], (Kind::Float, Device::Cpu));
    let y = x.narrow(1, 0, 1);
    let table = Columns { x: Some(x), y: Some(y), ..Columns::default() };
    triflow_plugins::link();
    let yaml = "{ coupling: ot_conditional, device: cpu, training: { epochs: 1, batch_size: 16 } }";
    let splits = Splits { train: table, ..Splits::default() };
    let mut trainer = Trainer::with_tables(Experiment::from_yaml(yaml).unwrap(), splits).unwrap();
    let error = trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap_err().to_string();
    assert!(error.contains("no two rows have the same condition"), "{error}");
    assert!(error.contains("ratio: 0.05"), "{error}");
}

/// An experiment on 72 training rows: blocks of 48 and 24 rows an epoch, in batches of 16 and 8.
const COUPLED: &str = "
task: generation
source: eight_gaussians
coupling: { type: ot_conditional, batch: 48 }
data: { type: two_moons, samples: 90 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [8] } }
training: { epochs: 4, batch_size: 16 }
sampling: { solver: euler, steps: 4 }
device: cpu
";

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

#[test]
fn a_run_stopped_within_a_block_goes_on_as_if_it_never_had() {
    triflow_plugins::link();
    let folder = tempfile::tempdir().unwrap();
    let experiment = |coupling: &str| {
        let yaml = COUPLED.replace("ot_conditional", coupling);
        let mut experiment = Experiment::from_yaml(&yaml).unwrap();
        experiment.output_dir = folder.path().into();
        experiment
    };
    for coupling in ["ot_conditional", "ot_sinkhorn, allow_biased: true"] {
        let complete = run::train(experiment(coupling), Path::new(""), &mut ()).unwrap();
        // Of 5 steps an epoch: within the first block, at the start of the second, within it, and
        // in a later epoch.
        for at in [1, 3, 4, 12] {
            let mut watch = StopAt { step: 0, at };
            let stopped = run::train(experiment(coupling), Path::new(""), &mut watch);
            let Err(triflow::Error::Interrupted { run }) = stopped else { panic!("{stopped:?}") };
            let resumed = run::resume(&run, &mut ()).unwrap();
            for name in ["params.safetensors", "history.csv", "metrics.json"] {
                let read = |run: &Path| std::fs::read(run.join(name)).unwrap();
                assert!(
                    read(&complete.path) == read(&resumed.path),
                    "{coupling}: {name}, stopped at {at}"
                );
            }
        }
        let manifest = std::fs::read_to_string(complete.path.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["pairing"]["blocks"], 8, "{manifest:#}");
        assert_eq!(manifest["pairing"]["rows"], 48);
        assert!(manifest["pairing"]["seconds"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_longer_block_is_another_pairing_of_the_same_draws() {
    let parameters = |yaml: &str| {
        let mut trainer = trainer(yaml).unwrap();
        trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
        trainer.trained().parameters()
    };
    let same = |a: &[(String, Tensor)], b: &[(String, Tensor)]| {
        a.iter().zip(b).all(|((_, a), (_, b))| a.equal(b))
    };
    let [short, again, long] = [16, 16, 32].map(|batch| {
        parameters(&format!("{{ coupling: {{ type: ot_conditional, batch: {batch} }} }}"))
    });
    assert!(same(&short, &again) && !same(&short, &long));
    let of_step = parameters("{ coupling: ot_conditional }");
    assert!(same(&short, &of_step));
}

/// Mean squared distance between a single Euler step and the exact end of the learned flow.
fn curvature(coupling: &str) -> f64 {
    let yaml = format!(
        "{{ unconditional: true, coupling: {coupling}, \
            training: {{ steps: 1500, batch_size: 64, optimizer: {{ learning_rate: 0.005 }} }} }}"
    );
    let mut trainer = trainer(&yaml).unwrap();
    trainer.fit(&mut |_, _| Ok(Control::Continue)).unwrap();
    let (model, _) = trainer.trained_mut();
    let mut end = |steps| model.sample(&[400], Some(steps), 7).unwrap().to_kind(Kind::Double);
    let (one, many) = (end(1), end(40));
    (one - many).square().mean(Kind::Double).double_value(&[])
}

#[test]
fn a_coupled_flow_is_straighter() {
    let independent = curvature("independent");
    for coupling in ["{ type: ot_exact, batch: 64 }", "{ type: ot_sinkhorn, batch: 64 }"] {
        let coupled = curvature(coupling);
        assert!(coupled < 0.2 * independent, "{coupling}: {coupled} against {independent}");
    }
}

//! The exact prediction of a mixture of Gaussians as the network of a model: every solver is held
//! to a reference solution of the ODE, and the likelihood to the mixture's own density.

#[path = "../../examples/plugins/exact_mixture/src/mixture.rs"]
mod component;

use crate::common::{solver, values};
use serde_json::{Value, json};
use std::f64::consts::PI;
use triflow::component::{Columns, Splits};
use triflow::data::Batch;
use triflow::measure::likelihood::{Options, measure};
use triflow::prelude::*;
use triflow::rng::{Purpose, Streams, seed_torch};
use triflow::sample::{Conditioned, PredictorField};
use triflow::tch::{Device, Kind};
use triflow::{Experiment, Lengths, Start, Trained, Trainer};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);
const CENTRES: [[f64; 2]; 3] = [[-1.0, 0.0], [1.0, 0.5], [0.0, 2.0]];
const WEIGHTS: [f64; 3] = [0.25, 0.5, 0.25];
const DEVIATION: f64 = 0.3;

/// `n` rows of the mixture.
fn rows(n: i64) -> Tensor {
    let _stream = seed_torch(8, Purpose::Data, 0);
    let centres = Tensor::from_slice2(&CENTRES);
    let which = Tensor::from_slice(&WEIGHTS).multinomial(n, true);
    centres.index_select(0, &which) + Tensor::randn([n, 2], DOUBLE) * DEVIATION
}

/// ln of the mixture's density, `[n]`.
fn log_density(x: &Tensor) -> Tensor {
    let variance = DEVIATION.powi(2);
    let from = x.unsqueeze(1) - Tensor::from_slice2(&CENTRES).unsqueeze(0);
    let squares = from.square().sum_dim_intlist(2, false, Kind::Double);
    let log = squares * (-0.5 / variance) - (2.0 * PI * variance).ln();
    (log + Tensor::from_slice(&WEIGHTS).log()).logsumexp(1, false)
}

/// The exact model along a path, untrained, with 200 of the rows held out.
fn model(keys: &str) -> (Trained, Batch) {
    triflow_plugins::link();
    let yaml = format!(
        "{{ {keys}, task: generation, unconditional: true, crn: {{ type: exact_mixture, \
           centres: {CENTRES:?}, weights: {WEIGHTS:?}, deviation: {DEVIATION} }},
           data: {{ type: two_moons, standardise: false, split: {{ train: 0.5, val: 0, test: 0.5 }} }},
           training: {{ precision: float64 }}, device: cpu, threads: 1 }}"
    );
    let train = Columns { x: Some(rows(400)), ..Columns::default() };
    let splits = Splits { train, ..Splits::default() };
    let trainer = Trainer::with_tables(Experiment::from_yaml(&yaml).unwrap(), splits).unwrap();
    let held_out = trainer.data().held_out(1000).unwrap().rows;
    (trainer.into_trained(), held_out)
}

/// Objectives, paths and schedules; noise at the start is all but free of data, and data at the end
/// of noise.
const MODELS: [&str; 5] = [
    "objective: flow_matching, path: rectified",
    "objective: v, path: { type: polynomial, n: 2 }",
    "objective: diffusion, path: variance_preserving, noise_schedule: { type: karras, sigma_max: 1.0e4, sigma_min: 1.0e-4 }",
    "objective: edm, path: variance_exploding, noise_schedule: { type: karras, sigma_max: 1.0e4, sigma_min: 1.0e-4 }",
    "objective: ct, path: variance_preserving, noise_schedule: { type: karras, sigma_max: 1.0e4, sigma_min: 1.0e-4 }",
];

/// dz/dγ of the mixture's probability-flow ODE at a noise level, without the framework's code: on
/// the path of unit scale (a = 1, b = σ) it is (z − E[data | z])·(−1/2), and another path is a
/// rescaling of it.
fn reference(z0: &Tensor, from: [f64; 2], to: [f64; 2]) -> Tensor {
    const STEPS: usize = 4000;
    let slope = |x: &Tensor, gamma: f64| {
        let total = DEVIATION.powi(2) + (-gamma).exp();
        let away = x.unsqueeze(1) - Tensor::from_slice2(&CENTRES).unsqueeze(0);
        let log = away.square().sum_dim_intlist(2, false, Kind::Double) * (-0.5 / total)
            + Tensor::from_slice(&WEIGHTS).log();
        let shares = log.softmax(1, Kind::Double).unsqueeze(2);
        let noise = (away * shares).sum_dim_intlist(1, false, Kind::Double) / total;
        noise * (-0.5 * (-gamma).exp())
    };
    let gamma = |[a, b]: [f64; 2]| 2.0 * (a / b).ln();
    let (start, end) = (gamma(from), gamma(to));
    let h = (end - start) / STEPS as f64;
    let mut x = z0 / from[0];
    for i in 0..STEPS {
        let s = start + i as f64 * h;
        let k1 = slope(&x, s);
        let k2 = slope(&(&x + &k1 * (h / 2.0)), s + h / 2.0);
        let k3 = slope(&(&x + &k2 * (h / 2.0)), s + h / 2.0);
        let k4 = slope(&(&x + &k3 * h), s + h);
        x += (k1 + k2 * 2.0 + k3 * 2.0 + k4) * (h / 6.0);
    }
    x * to[0]
}

#[test]
fn every_solver_reaches_the_reference_solution_of_the_mixtures_ode() {
    let solvers: [(Value, usize, f64); 9] = [
        (json!("euler"), 400, 0.15),
        (json!("midpoint"), 400, 4e-3),
        (json!("heun"), 400, 4e-3),
        (json!("rk4"), 100, 1e-4),
        (json!({ "type": "dopri5", "rtol": 1e-9, "atol": 1e-10 }), 1, 1e-6),
        (json!({ "type": "bosh3", "rtol": 1e-8, "atol": 1e-9 }), 1, 1e-5),
        (json!("ddim"), 400, 0.15),
        (json!("dpmpp"), 400, 4e-3),
        (json!("heun_edm"), 400, 4e-3),
    ];
    for keys in MODELS {
        let (mut trained, _) = model(keys);
        let z0 = Tensor::from_slice2(&[[0.3, -1.0], [1.2, 0.4], [-0.5, 0.9], [0.1, 0.2]]);
        trained
            .sampling(|model, _| {
                let predictor = Conditioned { model, condition: None, guidance: None, mask: None };
                let field = PredictorField::of(predictor, Clock::Gamma);
                let ends = field.grid(1).unwrap();
                let [from, to] = [ends.start(), ends.end()].map(|s| {
                    let point = model.path().at_clock(s, Clock::Gamma, &z0).unwrap();
                    [point.a.double_value(&[0]), point.b.double_value(&[0])]
                });
                let start = &z0 * model.path().start_scale().unwrap();
                let exact = reference(&start, from, to);
                for (spec, steps, bound) in &solvers {
                    let solver = solver(spec.clone());
                    let z = field.sample(&*solver, *steps, Some(false), &z0, &mut ()).unwrap().z;
                    let error = (z - &exact).abs().max().double_value(&[]);
                    assert!(error < *bound, "{keys}: {spec}: {error:e}");
                }
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn the_likelihood_of_the_exact_model_is_that_of_the_mixture() {
    let solver =
        serde_json::from_value(json!({ "type": "dopri5", "rtol": 1e-8, "atol": 1e-8 })).unwrap();
    for keys in MODELS {
        let (mut trained, held_out) = model(keys);
        let exact = -log_density(&held_out.target).mean(Kind::Double).double_value(&[]);
        let options = Options { solver: &solver, steps: 1, probes: 1, draws: 200, seed: 1 };
        let measured = measure(&mut trained, &held_out, &options).unwrap();
        // On a path that ends with noise, rows are measured with noise of deviation 1e-4.
        let off = measured.density.nats - exact;
        assert!(off.abs() < 1e-4, "{keys}: {} for {exact}", measured.density.nats);
        // The bound is that of an exact diffusion: equal up to the noise of its draws.
        if let Some(bound) = measured.bound {
            let slack = 4.0 * bound.error.unwrap() + 2e-2;
            assert!((bound.nats - exact).abs() < slack, "{keys}: {} for {exact}", bound.nats);
        }
    }
    assert_eq!(values(&log_density(&rows(3))).len(), 3);
}

#[test]
fn repeated_steps_bring_given_entries_close_to_the_conditional_distribution() {
    let (n, first) = (4000, 0.45);
    // Given x0 the mixture keeps its components, with weights by their densities at x0.
    let at = |[centre, _]: [f64; 2]| (-0.5 * ((first - centre) / DEVIATION).powi(2)).exp();
    let weights = [0, 1, 2].map(|k| WEIGHTS[k] * at(CENTRES[k]));
    let upper = weights[2] / weights.iter().sum::<f64>();
    let off = |repeats: usize| {
        let keys = format!(
            "objective: flow_matching, sampling: {{ solver: midpoint, steps: 30, repeats: {repeats} }}"
        );
        let (mut trained, _) = model(&keys);
        let row = Tensor::from_slice(&[first, f64::NAN]).repeat([n, 1]);
        let given = trained.given(&row).unwrap();
        let (none, streams) = (Lengths::default(), Streams::new(4, 0));
        let drawn = trained.sample_starting(Start::Given(&given), None, &none, &streams).unwrap();
        // Halfway between the centres 0.5 and 2 of x1, each 2.5 deviations away.
        let share = drawn.select(1, 1).gt(1.25).to_kind(Kind::Double).mean(Kind::Double);
        share.double_value(&[]) - upper
    };
    let (once, often) = (off(1), off(20));
    assert!(often.abs() < 0.06, "{often}, with one pass {once}");
    assert!(often.abs() < 0.5 * once.abs(), "{often}, with one pass {once}");
}

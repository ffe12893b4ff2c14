//! Every optimizer against its paper's formulas, written here for single numbers.

use crate::common::{assert_close, values};
use serde_json::{Value, json};
use triflow::prelude::*;
use triflow::tch::Kind;

const START: [f64; 3] = [0.5, -1.25, 2.0];
const GRADIENTS: [[f64; 3]; 4] =
    [[0.3, -2.0, 1e-4], [-0.7, 0.25, 3e-4], [0.1, 0.0, -5.0], [2.0, -1.0, 0.02]];
const RATE: f64 = 0.01;

fn optimizer(spec: Value) -> Box<dyn Optimizer> {
    triflow_plugins::link();
    serde_json::from_value::<Component<dyn Optimizer>>(spec).unwrap().build(&()).unwrap()
}

/// Applies the gradients, and compares with `formula(start, gradients so far)` after each step.
fn check(spec: Value, formula: impl Fn(f64, &[f64]) -> f64) {
    let optimizer = optimizer(spec.clone());
    let mut parameters = Tensor::from_slice(&START);
    let mut state = OptimizerState::start(&*optimizer, &parameters).unwrap();
    for n in 1..=GRADIENTS.len() {
        state.step += 1;
        let gradient = Tensor::from_slice(&GRADIENTS[n - 1]);
        optimizer.step(&mut parameters, &gradient, &mut state, &Tensor::from(RATE)).unwrap();
        assert_eq!(values(&gradient), GRADIENTS[n - 1], "the gradient is left alone");
        let expected: Vec<f64> = (0..START.len())
            .map(|i| {
                let gradients: Vec<f64> = GRADIENTS[..n].iter().map(|g| g[i]).collect();
                formula(START[i], &gradients)
            })
            .collect();
        assert_close(&format!("{spec} step {n}"), &parameters, &expected, 1e-12);
    }
}

/// Adam's parameter after all `gradients`: algorithm 1 of arXiv 1412.6980, with the decoupled
/// weight decay of algorithm 2 of arXiv 1711.05101.
fn adam(start: f64, gradients: &[f64], (b1, b2): (f64, f64), eps: f64, decay: f64) -> f64 {
    let (mut p, mut m, mut v) = (start, 0.0, 0.0);
    for (i, g) in gradients.iter().enumerate() {
        let t = (i + 1) as i32;
        m = b1 * m + (1.0 - b1) * g;
        v = b2 * v + (1.0 - b2) * g * g;
        let (m_hat, v_hat) = (m / (1.0 - b1.powi(t)), v / (1.0 - b2.powi(t)));
        p -= RATE * (m_hat / (v_hat.sqrt() + eps) + decay * p);
    }
    p
}

#[test]
fn adam_follows_its_paper() {
    check(json!({ "type": "adam" }), |p, g| adam(p, g, (0.9, 0.999), 1e-8, 0.0));
    check(json!({ "type": "adam", "beta1": 0.5, "beta2": 0.9, "eps": 1e-3 }), |p, g| {
        adam(p, g, (0.5, 0.9), 1e-3, 0.0)
    });
}

#[test]
fn adamw_decays_parameters_and_not_gradients() {
    check(json!({ "type": "adamw" }), |p, g| adam(p, g, (0.9, 0.999), 1e-8, 0.01));
    check(json!({ "type": "adamw", "weight_decay": 0.3 }), |p, g| {
        adam(p, g, (0.9, 0.999), 1e-8, 0.3)
    });
}

#[test]
fn sgd_subtracts_the_gradient() {
    check(json!({ "type": "sgd" }), |p, g| p - RATE * g.iter().sum::<f64>());
}

#[test]
fn sgd_with_momentum_keeps_a_share_of_the_last_step() {
    check(json!({ "type": "sgd", "momentum": 0.9 }), |p, g| {
        let (mut p, mut v) = (p, 0.0);
        for g in g {
            v = 0.9 * v + g;
            p -= RATE * v;
        }
        p
    });
}

#[test]
fn adagrad_divides_by_the_root_of_the_sum_of_squares_from_a_tenth() {
    check(json!({ "type": "adagrad" }), |p, g| {
        let (mut p, mut sum) = (p, 0.1_f64);
        for g in g {
            sum += g * g;
            p -= RATE * g / (sum.sqrt() + 1e-7);
        }
        p
    });
}

#[test]
fn every_optimizer_reaches_the_bottom_of_a_bowl_in_both_precisions() {
    let bottom = [1.0, -2.0, 0.5];
    let stiffness = [1.0, 4.0, 0.25];
    let specs = [
        (json!({ "type": "adam" }), 0.05),
        (json!({ "type": "adamw", "weight_decay": 0.0 }), 0.05),
        (json!({ "type": "sgd" }), 0.1),
        (json!({ "type": "sgd", "momentum": 0.8 }), 0.1),
        (json!({ "type": "adagrad" }), 0.5),
    ];
    for (spec, rate) in specs {
        for kind in [Kind::Double, Kind::Float] {
            let optimizer = optimizer(spec.clone());
            let bottom = Tensor::from_slice(&bottom).to_kind(kind);
            let stiffness = Tensor::from_slice(&stiffness).to_kind(kind);
            let mut parameters = bottom.zeros_like();
            let mut state = OptimizerState::start(&*optimizer, &parameters).unwrap();
            let rate = parameters.new_full([], rate, (kind, parameters.device()));
            for _ in 0..2000 {
                state.step += 1;
                let gradient = (&parameters - &bottom) * &stiffness;
                optimizer.step(&mut parameters, &gradient, &mut state, &rate).unwrap();
            }
            assert_eq!(parameters.kind(), kind);
            assert_close(&format!("{spec} {kind:?}"), &parameters, &values(&bottom), 1e-3);
        }
    }
}

#[test]
fn foreign_moments_are_refused() {
    for spec in
        [json!({ "type": "adam" }), json!({ "type": "adamw" }), json!({ "type": "adagrad" })]
    {
        let mut parameters = Tensor::from_slice(&START);
        let gradient = parameters.ones_like();
        let (rate, mut state) =
            (Tensor::from(RATE), OptimizerState { step: Tensor::from(1.0), moments: vec![] });
        assert!(optimizer(spec).step(&mut parameters, &gradient, &mut state, &rate).is_err());
        assert_eq!(values(&parameters), START, "nothing moved");
    }
}

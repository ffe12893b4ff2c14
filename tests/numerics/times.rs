//! Time samplers: quantiles of the stated distributions, and the loss that they leave or change.

use crate::common::{assert_close, assert_within, gauss_legendre, times, values};
use serde_json::{Value, json};
use triflow::config::Layers;
use triflow::data::{Shapes, Units};
use triflow::model::Model;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

/// Pairs (x, Φ(x)) of the standard normal distribution function.
const NORMAL: [(f64, f64); 5] = [
    (-2.0, 0.022_750_131_948_179_2),
    (-1.0, 0.158_655_253_931_457_05),
    (0.0, 0.5),
    (0.5, 0.691_462_461_274_013_1),
    (1.0, 0.841_344_746_068_542_9),
];
const BELOW_ONE: f64 = NORMAL[4].1;

fn quantiles(spec: Value, u: &[f64], ends: [f64; 2]) -> Tensor {
    triflow_plugins::link();
    let sampler: Component<dyn TimeSampler> = serde_json::from_value(spec).unwrap();
    let sampler = sampler.build(&()).unwrap();
    sampler.quantiles(&Tensor::from_slice(u), &Tensor::from_slice(&ends)).unwrap().at
}

#[test]
fn logits_of_logit_normal_times_and_logarithms_of_log_normal_noise_levels_are_normal() {
    let u = NORMAL.map(|(_, share)| share);
    for (mean, std) in [(0.0, 1.0), (-1.2, 1.2), (0.7, 0.4)] {
        let t =
            quantiles(json!({ "type": "logit_normal", "mean": mean, "std": std }), &u, [0.0, 1.0]);
        let expected = NORMAL.map(|(x, _)| mean + std * x);
        assert_close("logit", &t.logit(None), &expected, 1e-12);
        // σ falls with time: the share u of the times has a larger one.
        let spec = json!({ "type": "log_normal_sigma", "mean": mean, "std": std });
        let gamma = quantiles(spec, &u, [f64::NEG_INFINITY, f64::INFINITY]);
        let expected = NORMAL.map(|(x, _)| mean - std * x);
        assert_close("ln sigma", &(gamma * -0.5), &expected, 1e-12);
    }
}

#[test]
fn log_normal_noise_levels_keep_their_proportions_on_a_path_with_fewer() {
    // The path has the noise levels within one standard deviation of the mean, a share 1 − 2·Φ(−1).
    let (mean, std) = (-1.2, 1.2);
    let ends = [-2.0 * (mean + std), -2.0 * (mean - std)];
    let inside = 2.0 * BELOW_ONE - 1.0;
    let u: Vec<f64> =
        NORMAL[1..].iter().map(|(_, share)| (share - 1.0 + BELOW_ONE) / inside).collect();
    let gamma = quantiles(json!("log_normal_sigma"), &u, ends);
    let expected: Vec<f64> = NORMAL[1..].iter().map(|(x, _)| -2.0 * (mean - std * x)).collect();
    assert_close("log-SNR", &gamma, &expected, 1e-12);
    let found = quantiles(json!("log_normal_sigma"), &[0.0, 1.0], ends);
    assert_close("ends", &found, &ends, 1e-12);
}

fn model(schedule: &Value) -> Model {
    triflow_plugins::link();
    let mut layers = Layers::new().unwrap();
    for (key, value) in [
        ("task", json!("generation")),
        ("unconditional", json!(true)),
        ("device", json!("cpu")),
        ("training.precision", json!("float64")),
        ("objective", json!("diffusion")),
        ("noise_schedule", schedule.clone()),
    ] {
        layers.set(key, serde_yaml::to_value(value).unwrap(), "test").unwrap();
    }
    let shapes = Shapes { target: vec![1], condition: None };
    let units = Units::plain(shapes, (Kind::Double, Device::Cpu));
    layers.finish().unwrap().resolve(&units, None).unwrap().into()
}

/// Expected loss ∫ γ'·E|ε − w·z|² dt of predictions w·z of the noise for data N(m, s²), and its
/// derivatives by w and by every parameter of the schedule. The mean over the sampler's times is a
/// quadrature over their quantiles.
fn expected_loss(model: &Model, sampler: &str) -> Vec<f64> {
    let (m, s) = (0.7, 0.6);
    let (u, weights) = gauss_legendre(0.0, 1.0, 4000);
    let u = Tensor::from_slice(&u);
    let (point, factor) = times(json!(sampler), model.path()).at(&u, model.path()).unwrap();
    let w = Tensor::from(0.4).set_requires_grad(true);
    let second_moment = point.a.square() * (s * s + m * m) + point.b.square();
    let error = w.square() * second_moment - &w * &point.b * 2.0 + 1.0;
    let weighted =
        error * point.gamma_prime().unwrap() * factor.unwrap_or_else(|| Tensor::from(1.0));
    let loss = weighted.dot(&Tensor::from_slice(&weights));
    let named = model.vars.variables();
    let mut of: Vec<_> = named.iter().filter(|(n, _)| n.starts_with("noise_schedule.")).collect();
    of.sort_by_key(|(name, _)| name.to_string());
    let by: Vec<&Tensor> = std::iter::once(&w).chain(of.into_iter().map(|(_, v)| v)).collect();
    let gradient = Tensor::run_backward(&[&loss], &by, false, false);
    std::iter::once(loss).chain(gradient).flat_map(|t| values(&t)).collect()
}

#[test]
fn importance_and_stratified_times_have_one_expected_loss_and_gradient() {
    for schedule in [
        json!("linear"),
        json!("cosine"),
        json!({ "type": "karras", "sigma_max": 20.0 }),
        json!({ "type": "sigmoid", "k": 8.0, "learnable": true }),
        json!({ "type": "laplace_logsnr", "b": 2.0, "learnable": true }),
        json!({ "type": "monotonic_nn", "hidden_dims": [4], "learnable": true }),
    ] {
        let model = model(&schedule);
        let expected = expected_loss(&model, "stratified");
        assert!(expected.len() > 2 || schedule.get("learnable").is_none(), "{schedule}");
        assert!(expected.iter().all(|v| v.is_finite()), "{schedule}: {expected:?}");
        let found = Tensor::from_slice(&expected_loss(&model, "importance"));
        assert_within(&schedule.to_string(), &found, &expected, 1e-8, 1e-2);
    }
}

#[test]
fn times_of_a_sampler_of_noise_levels_are_those_at_which_the_path_has_them() {
    let model = model(&json!("cosine"));
    let u = [0.1, 0.5, 0.9];
    let ends = model.path().gamma_range().unwrap();
    let gamma = quantiles(json!("log_normal_sigma"), &u, [ends.0, ends.1]);
    let times = times(json!("log_normal_sigma"), model.path());
    let (point, factor) = times.at(&Tensor::from_slice(&u), model.path()).unwrap();
    assert!(factor.is_none());
    assert_close("log-SNR", &point.gamma(), &values(&gamma), 1e-9);
    assert_eq!(point.t.kind(), Kind::Double);
}

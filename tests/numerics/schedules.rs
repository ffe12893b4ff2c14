//! Every noise schedule against golden vectors (independent numpy, scipy and mpmath scripts).

use crate::common::{
    assert_close, assert_within, golden, numbers, schedule, values, variance_preserving,
};
use serde_json::Value;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

const FILES: [&str; 3] = [
    include_str!("../golden/schedules.json"),
    include_str!("../golden/schedules_logsnr.json"),
    include_str!("../golden/schedules_published.json"),
];

fn check(set: &Value, t: &[f64], learnable: bool, kind: Kind, tolerances: [f64; 4]) {
    let name = set["schedule"].as_str().unwrap();
    let label = format!("{name} {} learnable={learnable} {kind:?}", set["params"]);
    let (_vs, schedule) = schedule(name, &set["params"], learnable, kind);
    let t = Tensor::from_slice(t).to_kind(kind);
    let path = variance_preserving(schedule);
    let point = path.at(&t).unwrap();
    assert_close(
        &format!("{label} alpha_bar"),
        &point.alpha_bar(),
        &numbers(&set["alpha_bar"]),
        tolerances[0],
    );
    assert_close(&format!("{label} gamma"), &point.gamma(), &numbers(&set["gamma"]), tolerances[1]);
    assert_close(
        &format!("{label} gamma'"),
        &point.gamma_prime().unwrap(),
        &numbers(&set["gamma_prime"]),
        tolerances[2],
    );
    assert_close(
        &format!("{label} SNR'"),
        &point.snr_prime().unwrap(),
        &numbers(&set["snr_prime"]),
        tolerances[3],
    );
    if let Some(v) = set.get("one_minus_alpha_bar") {
        assert_close(
            &format!("{label} 1-alpha_bar"),
            &point.one_minus_alpha_bar(),
            &numbers(v),
            tolerances[0] * 10.0,
        );
    }
}

#[test]
fn every_schedule_meets_the_golden_vectors_fixed_and_learnable() {
    for golden in FILES.map(golden) {
        let t = numbers(&golden["t"]);
        for set in golden["schedules"].as_array().unwrap() {
            for learnable in [false, true] {
                check(set, &t, learnable, Kind::Double, [1e-11, 1e-11, 1e-10, 1e-9]);
            }
        }
    }
}

#[test]
fn gamma_prime_equals_the_slope_of_gamma_and_time_inverts_it() {
    for set in every_set() {
        let name = set["schedule"].as_str().unwrap();
        let (_vs, schedule) = schedule(name, &set["params"], false, Kind::Double);
        let t = Tensor::from_slice(&[0.07, 0.31, 0.5001, 0.77, 0.93]);
        let h = 1e-6;
        let slope =
            (schedule.gamma(&(&t + h)).unwrap() - schedule.gamma(&(&t - h)).unwrap()) / (2.0 * h);
        let expected: Vec<f64> = Vec::try_from(slope.detach()).unwrap();
        assert_close(name, &schedule.gamma_prime(&t).unwrap(), &expected, 1e-6);
        let back = schedule.time_of(&schedule.gamma(&t).unwrap().detach()).unwrap();
        assert_close(name, &back, &Vec::<f64>::try_from(&t).unwrap(), 1e-9);
    }
}

/// Values in float32 at the golden times, without t = 1 − 1e-6, which float32 rounds.
#[test]
fn in_float32_every_schedule_stays_within_its_rounding() {
    for golden in FILES.map(golden) {
        let all = numbers(&golden["t"]);
        let kept: Vec<usize> = (0..all.len()).filter(|i| all[*i] != 1.0 - 1e-6).collect();
        assert_eq!(kept.len(), all.len() - 1);
        let pick = |v: &[f64]| kept.iter().map(|i| v[*i]).collect::<Vec<_>>();
        let t = Tensor::from_slice(&pick(&all)).to_kind(Kind::Float);
        for set in golden["schedules"].as_array().unwrap() {
            let name = set["schedule"].as_str().unwrap();
            for learnable in [false, true] {
                let (_vs, schedule) = schedule(name, &set["params"], learnable, Kind::Float);
                let gamma = schedule.gamma(&t).unwrap();
                let gamma_prime = schedule.gamma_prime(&t).unwrap();
                let what = format!("{name} {} learnable={learnable}", set["params"]);
                assert_eq!(
                    (gamma.kind(), gamma_prime.kind()),
                    (Kind::Float, Kind::Float),
                    "{what}"
                );
                let path = variance_preserving(schedule);
                let point = path.at(&t).unwrap();
                let check = |key: &str, ours: Tensor, tolerance: f64, floor: f64| {
                    let Some(expected) = set.get(key) else { return };
                    let what = format!("{what} {key}");
                    assert_within(&what, &ours, &pick(&numbers(expected)), tolerance, floor);
                };
                check("alpha_bar", point.alpha_bar(), 2e-6, 0.0);
                check("one_minus_alpha_bar", point.one_minus_alpha_bar(), 2e-5, 0.0);
                check("gamma", point.gamma(), 4e-6, 1.0);
                check("gamma_prime", point.gamma_prime().unwrap(), 3e-5, 1e-3);
                check("snr_prime", point.snr_prime().unwrap(), 5e-5, 1e-3);
            }
        }
    }
}

/// Golden sets of all files.
fn every_set() -> Vec<Value> {
    FILES.iter().flat_map(|file| golden(file)["schedules"].as_array().unwrap().clone()).collect()
}

/// A schedule that defines γ alone; the rest comes from the trait's defaults.
struct GammaAlone<S>(S);

impl<S: std::ops::Deref<Target = dyn NoiseSchedule>> NoiseSchedule for GammaAlone<S> {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        self.0.gamma(t)
    }
}

#[test]
fn the_default_gamma_prime_is_the_closed_form_with_and_without_recording() {
    for set in every_set() {
        let name = set["schedule"].as_str().unwrap();
        for (kind, tolerance) in [(Kind::Double, 1e-9), (Kind::Float, 1e-4)] {
            for learnable in [false, true] {
                let (_vs, closed) = schedule(name, &set["params"], learnable, kind);
                let t = Tensor::from_slice(&[0.05, 0.2, 0.5, 0.8, 0.95]).to_kind(kind);
                let expected = values(&closed.gamma_prime(&t).unwrap());
                let alone = GammaAlone(closed);
                let what = format!("{name} {kind:?} learnable={learnable}");
                let recorded = alone.gamma_prime(&t).unwrap();
                let plain = triflow::tch::no_grad(|| alone.gamma_prime(&t)).unwrap();
                assert!(!plain.requires_grad(), "{what}");
                for ours in [recorded, plain] {
                    assert_eq!(ours.kind(), kind, "{what}");
                    assert_within(&what, &ours, &expected, tolerance, 1e-2);
                }
            }
        }
    }
}

#[test]
fn a_gradient_reaches_learnable_parameters_through_the_default_gamma_prime() {
    for set in every_set() {
        let name = set["schedule"].as_str().unwrap();
        let gradients = |alone: bool| {
            let (vs, closed) = schedule(name, &set["params"], true, Kind::Double);
            let t = Tensor::from_slice(&[0.05, 0.2, 0.5, 0.8, 0.95]);
            let slope = match alone {
                true => GammaAlone(closed).gamma_prime(&t).unwrap(),
                false => closed.gamma_prime(&t).unwrap(),
            };
            (slope.square() * Tensor::from_slice(&[1.0, -2.0, 3.0, -1.0, 0.5]))
                .sum(Kind::Double)
                .backward();
            let mut named: Vec<(String, Vec<f64>)> = vs
                .variables()
                .into_iter()
                .map(|(name, v)| {
                    let grad = v.grad();
                    (name, if grad.defined() { values(&grad) } else { vec![0.0; v.numel()] })
                })
                .collect();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            named
        };
        let (ours, closed) = (gradients(true), gradients(false));
        assert!(ours.iter().any(|(_, g)| g.iter().any(|g| g.abs() > 1e-6)), "{name}");
        for ((variable, ours), (_, expected)) in ours.iter().zip(&closed) {
            let what = format!("{name} {variable}");
            assert_within(&what, &Tensor::from_slice(ours), expected, 1e-7, 1.0);
        }
    }
}

#[test]
fn a_shift_moves_the_log_snr_of_another_schedule_and_nothing_else() {
    triflow_plugins::link();
    let build = |yaml: &str| {
        let vs = nn::VarStore::new(Device::Cpu);
        let component: Component<dyn NoiseSchedule> = serde_yaml::from_str(yaml).unwrap();
        let ctx = BuildContext {
            vars: vs.root(),
            target_shape: vec![2],
            target_blocks: Block::numbers(&[2]),
            condition_shape: None,
            latent_shape: Some(vec![2]),
        };
        component.build(&ctx).unwrap()
    };
    let inner = build("{ type: sigmoid, k: 6.0 }");
    let shifted = build("{ type: shifted, inner: { type: sigmoid, k: 6.0 }, shift: -1.5 }");
    let t = Tensor::linspace(0.0, 1.0, 7, (Kind::Double, Device::Cpu));
    let expected = values(&(inner.gamma(&t).unwrap() - 1.5));
    assert_close("gamma", &shifted.gamma(&t).unwrap(), &expected, 1e-15);
    let slope = values(&inner.gamma_prime(&t).unwrap());
    assert_close("gamma'", &shifted.gamma_prime(&t).unwrap(), &slope, 1e-15);
    let back = shifted.time_of(&shifted.gamma(&t).unwrap()).unwrap();
    assert_close("time", &back, &values(&t), 1e-9);
    // From 64 x 64 to 128 x 128 pixels, as Hoogeboom et al. 2023 say: 2 ln(64/128).
    let usual = build("shifted").gamma(&t).unwrap() - build("cosine").gamma(&t).unwrap();
    assert_close("default", &usual, &[2.0 * 0.5_f64.ln(); 7], 1e-12);
}

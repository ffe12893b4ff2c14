//! Every noise schedule against golden vectors (independent numpy, scipy and mpmath scripts).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::Value;
use triflow::path::{Path, PathPoint};
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

fn golden(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn numbers(v: &Value) -> Vec<f64> {
    serde_json::from_value(v.clone()).unwrap()
}

fn build(
    name: &str,
    params: &Value,
    learnable: bool,
    kind: Kind,
) -> (nn::VarStore, Box<dyn NoiseSchedule>) {
    triflow_plugins::link();
    let mut vs = nn::VarStore::new(Device::Cpu);
    vs.set_kind(kind);
    let mut spec = params.as_object().unwrap().clone();
    spec.insert("type".into(), name.into());
    spec.insert("learnable".into(), learnable.into());
    let raw: Vec<_> = ["skip_raw", "W_raw", "b", "out_raw"]
        .map(|k| (name == "monotonic_nn").then(|| spec.remove(k)).flatten())
        .into();
    if let Some(b) = &raw[2] {
        let widths: Vec<usize> =
            b.as_array().unwrap().iter().map(|l| l.as_array().unwrap().len()).collect();
        spec.insert("hidden_dims".into(), serde_json::to_value(widths).unwrap());
    }
    let component: Component<dyn NoiseSchedule> =
        serde_json::from_value(Value::Object(spec)).unwrap();
    let schedule = component
        .build(&BuildContext {
            vars: vs.root(),
            target_shape: vec![2],
            condition_shape: None,
            latent_shape: Some(vec![2]),
        })
        .unwrap();
    if let [Some(skip), Some(w), Some(b), Some(out)] = raw.as_slice() {
        let variables = vs.variables();
        let set = |name: &str, v: &Value| {
            let flat: Vec<f64> = flatten(v);
            let mut var = variables[name].shallow_clone();
            let shape = var.size();
            tch_no_grad(|| var.copy_(&Tensor::from_slice(&flat).view(shape.as_slice())));
        };
        set("skip", skip);
        set("out", out);
        for i in 0..b.as_array().unwrap().len() {
            set(&format!("layer_{i}.weight"), &w[i]);
            set(&format!("layer_{i}.bias"), &b[i]);
        }
    }
    (vs, schedule)
}

fn tch_no_grad<T>(f: impl FnOnce() -> T) -> T {
    triflow::tch::no_grad(f)
}

fn flatten(v: &Value) -> Vec<f64> {
    match v {
        Value::Array(a) => a.iter().flat_map(flatten).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

fn assert_close(what: &str, ours: &Tensor, expected: &[f64], tolerance: f64) {
    let ours: Vec<f64> = Vec::try_from(ours.to_kind(Kind::Double).detach()).unwrap();
    for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
        let scale = b.abs().max(1e-3);
        assert!((a - b).abs() <= tolerance * scale, "{what}[{i}]: {a} against {b}");
    }
}

fn check(set: &Value, t: &[f64], learnable: bool, kind: Kind, tolerances: [f64; 4]) {
    let name = set["schedule"].as_str().unwrap();
    let label = format!("{name} {} learnable={learnable} {kind:?}", set["params"]);
    let (_vs, schedule) = build(name, &set["params"], learnable, kind);
    let t = Tensor::from_slice(t).to_kind(kind);
    let point: PathPoint = Path::variance_preserving(schedule).at(&t).unwrap();
    assert_close(
        &format!("{label} alpha_bar"),
        &point.alpha_bar(),
        &numbers(&set["alpha_bar"]),
        tolerances[0],
    );
    assert_close(&format!("{label} gamma"), &point.gamma(), &numbers(&set["gamma"]), tolerances[1]);
    assert_close(
        &format!("{label} gamma'"),
        &point.gamma_prime(),
        &numbers(&set["gamma_prime"]),
        tolerances[2],
    );
    assert_close(
        &format!("{label} SNR'"),
        &point.snr_prime(),
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
    for file in
        [include_str!("golden/schedules.json"), include_str!("golden/schedules_logsnr.json")]
    {
        let golden = golden(file);
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
    let golden = golden(include_str!("golden/schedules.json"));
    for set in golden["schedules"].as_array().unwrap() {
        let name = set["schedule"].as_str().unwrap();
        let (_vs, schedule) = build(name, &set["params"], false, Kind::Double);
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

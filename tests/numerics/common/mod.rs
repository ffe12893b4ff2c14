//! Helpers of the numerics tests: golden files, components by name, comparison.
#![allow(dead_code, reason = "not every test file uses all of it")]

pub mod gaussian;
pub mod runs;

use serde_json::Value;
use triflow::Experiment;
use triflow::loss::{Times, Weights};
use triflow::path::Path;
use triflow::prelude::*;
use triflow::registry::{Field, Group as _, Shape};
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};

/// Parses a golden file.
pub fn golden(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Built-in components of one kind or of all, without those that tests define.
pub fn built_in(kind: Option<&str>) -> Vec<triflow::registry::Entry> {
    triflow_plugins::link();
    let all = triflow::registry::registry().list(kind).into_iter();
    all.filter(|entry| entry.info.module.starts_with("triflow_plugins::")).collect()
}

/// The entries of an array.
pub fn list(v: &Value) -> &[Value] {
    v.as_array().unwrap()
}

/// All numbers of an array of any depth, in order.
pub fn numbers(v: &Value) -> Vec<f64> {
    match v {
        Value::Array(a) => a.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// An array as a tensor of its shape, float64.
pub fn tensor(v: &Value) -> Tensor {
    let mut shape = Vec::new();
    let mut inner = v;
    while let Value::Array(a) = inner {
        shape.push(a.len() as i64);
        inner = &a[0];
    }
    Tensor::from_slice(&numbers(v)).view(shape.as_slice())
}

/// The numbers of a tensor.
pub fn values(t: &Tensor) -> Vec<f64> {
    Vec::try_from(t.detach().to_kind(Kind::Double).reshape([-1])).unwrap()
}

/// A schedule by name, with the network weights of the golden parameters if there are any, and its
/// variables.
pub fn schedule(
    name: &str,
    params: &Value,
    learnable: bool,
    kind: Kind,
) -> (nn::VarStore, Box<dyn NoiseSchedule>) {
    triflow_plugins::link();
    let mut vs = nn::VarStore::new(Device::Cpu);
    vs.set_kind(kind);
    let mut spec = params.as_object().cloned().unwrap_or_default();
    spec.insert("type".into(), name.into());
    spec.insert("learnable".into(), learnable.into());
    let raw: Vec<_> = ["skip_raw", "W_raw", "b", "out_raw"]
        .map(|k| (name == "monotonic_nn").then(|| spec.remove(k)).flatten())
        .into();
    if let Some(b) = &raw[2] {
        let widths: Vec<usize> = list(b).iter().map(|l| list(l).len()).collect();
        spec.insert("hidden_dims".into(), serde_json::to_value(widths).unwrap());
    }
    let component: Component<dyn NoiseSchedule> =
        serde_json::from_value(Value::Object(spec)).unwrap();
    // Networks draw their initial weights, even those that are replaced below.
    let _stream = seed_torch(1, Purpose::Init, 0);
    let schedule = component
        .build(&BuildContext {
            vars: vs.root(),
            target_shape: vec![2],
            target_blocks: Block::numbers(&[2]),
            condition_shape: None,
            latent_shape: Some(vec![2]),
        })
        .unwrap();
    if let [Some(skip), Some(w), Some(b), Some(out)] = raw.as_slice() {
        let variables = vs.variables();
        let set = |name: &str, v: &Value| {
            let mut var = variables[name].shallow_clone();
            let shape = var.size();
            triflow::tch::no_grad(|| {
                var.copy_(&Tensor::from_slice(&numbers(v)).view(shape.as_slice()));
            });
        };
        set("skip", skip);
        set("out", out);
        for i in 0..list(b).len() {
            set(&format!("layer_{i}.weight"), &w[i]);
            set(&format!("layer_{i}.bias"), &b[i]);
        }
    }
    (vs, schedule)
}

/// Builds a path from its name and parameters, with a schedule if it follows one.
pub fn path_of(spec: Value, schedule: Option<Box<dyn NoiseSchedule>>) -> Path {
    triflow_plugins::link();
    let component: Component<dyn GaussianPath> = serde_json::from_value(spec).unwrap();
    Path::build(&component, schedule, Device::Cpu).unwrap()
}

/// The rectified path.
pub fn rectified() -> Path {
    path_of("rectified".into(), None)
}

/// The variance-preserving path of a schedule.
pub fn variance_preserving(schedule: Box<dyn NoiseSchedule>) -> Path {
    path_of("variance_preserving".into(), Some(schedule))
}

/// The path of a golden case: its `schedule` and `params`, or the rectified path.
pub fn path(case: &Value) -> Path {
    match case["schedule"].as_str().unwrap() {
        "rectified" => rectified(),
        name => variance_preserving(schedule(name, &case["params"], false, Kind::Double).1),
    }
}

/// The name of a golden case, for messages.
pub fn label(case: &Value) -> String {
    format!("{} {}", case["schedule"].as_str().unwrap(), case["params"])
}

/// Names of all objectives.
pub const OBJECTIVES: [&str; 3] = ["flow_matching", "diffusion", "ct"];

/// An objective by name.
pub fn objective(name: &str) -> Box<dyn Objective> {
    triflow_plugins::link();
    Component::<dyn Objective>::named(name).unwrap().build(&()).unwrap()
}

/// The times of a sampler on a path, in float64.
pub fn times(sampler: Value, path: &Path) -> Times {
    triflow_plugins::link();
    let sampler: Component<dyn TimeSampler> = serde_json::from_value(sampler).unwrap();
    Times::new(&sampler, path, (Kind::Double, Device::Cpu)).unwrap()
}

/// The weights of a weighting by name, divided by their means over uniform times if `normalise` is
/// true.
pub fn weights(name: &str, normalise: bool, path: &Path, objective: &dyn Objective) -> Weights {
    triflow_plugins::link();
    let weighting = Component::<dyn LossWeighting>::named(name).unwrap().build(&()).unwrap();
    let plain = Weights::new(weighting, path).unwrap();
    match normalise {
        true => plain.normalised(path, objective, &times("stratified".into(), path)).unwrap(),
        false => plain,
    }
}

/// Builds a solver from its name and parameters.
pub fn solver(spec: Value) -> Box<dyn Solver> {
    triflow_plugins::link();
    serde_json::from_value::<Component<dyn Solver>>(spec).unwrap().build(&()).unwrap()
}

/// Nodes and weights of the 5-point Gauss-Legendre rule on each of `panels` equal panels.
pub fn gauss_legendre(from: f64, to: f64, panels: u32) -> (Vec<f64>, Vec<f64>) {
    let outer = 2.0 * (10.0_f64 / 7.0).sqrt();
    let x = [(5.0 - outer).sqrt() / 3.0, (5.0 + outer).sqrt() / 3.0];
    let w = [(322.0 + 13.0 * 70f64.sqrt()) / 900.0, (322.0 - 13.0 * 70f64.sqrt()) / 900.0];
    let rule = [(-x[1], w[1]), (-x[0], w[0]), (0.0, 128.0 / 225.0), (x[0], w[0]), (x[1], w[1])];
    let half = (to - from) / f64::from(2 * panels);
    let of = |i: u32| rule.map(|(x, w)| (from + half * (f64::from(2 * i + 1) + x), half * w));
    (0..panels).flat_map(of).unzip()
}

/// Asserts that every entry is within `tolerance`, relative to the expected value or to `floor` if
/// that is larger.
pub fn assert_within(what: &str, ours: &Tensor, expected: &[f64], tolerance: f64, floor: f64) {
    let ours = values(ours);
    assert_eq!(ours.len(), expected.len(), "{what}: number of entries");
    for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
        let scale = b.abs().max(floor);
        assert!((a - b).abs() <= tolerance * scale, "{what}[{i}]: {a} against {b}");
    }
}

/// Asserts that every entry is within `tolerance`, relative to the expected value or 0.001.
pub fn assert_close(what: &str, ours: &Tensor, expected: &[f64], tolerance: f64) {
    assert_within(what, ours, expected, tolerance, 1e-3);
}

/// Key of an experiment that takes a component of `kind`, and true if it takes a list of them.
pub fn place_of(kind: &str) -> (String, bool) {
    fn find(fields: &[Field], kind: &str, within: &str) -> Option<(String, bool)> {
        fields.iter().find_map(|field| {
            let key = format!("{within}{}", field.key.name());
            match field.shape.required() {
                Shape::Component(own) => (*own == kind).then_some((key, false)),
                Shape::List(inner) => match **inner {
                    Shape::Component(own) if own == kind => Some((key, true)),
                    _ => None,
                },
                Shape::Group(inner) => find(inner, kind, &format!("{key}.")),
                _ => None,
            }
        })
    }
    match kind {
        "network" => ("crn.network".to_owned(), false),
        _ => {
            find(&Experiment::fields(), kind, "").unwrap_or_else(|| panic!("no key takes a {kind}"))
        }
    }
}

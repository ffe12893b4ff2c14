//! Loss weightings and time samplers together: a weight times the density of the times integrates
//! to what `docs/math.md` says, and normalised weights have mean 1.

use crate::common::{
    assert_within, gauss_legendre, objective, path_of, rectified, schedule, times, values,
    variance_preserving,
};
use serde_json::{Value, json};
use triflow::loss::Weights;
use triflow::path::Path;
use triflow::prelude::*;
use triflow::tch::{Device, Kind};

/// Straight lines at two speeds, unit variance with two schedules, and two other paths with one.
fn paths() -> [(&'static str, Path); 6] {
    let of = |name: &str| Some(schedule(name, &json!({}), false, Kind::Double).1);
    [
        ("rectified", rectified()),
        ("polynomial", path_of(json!({ "type": "polynomial", "n": 1.5 }), None)),
        ("linear", path_of(json!("variance_preserving"), of("linear"))),
        ("cosine", path_of(json!("variance_preserving"), of("cosine"))),
        ("exploding", path_of(json!("variance_exploding"), Some(schedule_of("karras")))),
        ("below", path_of(json!("sub_variance_preserving"), of("linear"))),
    ]
}

fn weightings() -> [Value; 9] {
    [
        json!("elbo"),
        json!("field"),
        json!("min_snr"),
        json!({ "type": "min_snr", "kappa": 0.5 }),
        json!("none"),
        json!("seed"),
        json!("sigmoid"),
        json!({ "type": "sigmoid", "bias": -3.0 }),
        json!({ "type": "edm", "sigma_data": 0.8 }),
    ]
}

fn samplers(path: &Path) -> Vec<Value> {
    let mut all = vec![
        json!("uniform"),
        json!("stratified"),
        json!({ "type": "logit_normal", "mean": 0.3, "std": 0.8 }),
        json!({ "type": "log_normal_sigma", "mean": -0.4, "std": 0.9 }),
    ];
    if path.bounded() {
        all.push(json!("importance"));
    }
    all
}

/// The weight of the error of an output p·data + q·noise, as `docs/math.md` has it.
fn documented(weighting: &Value, point: &PathPoint<'_>, (p, q): (f64, f64)) -> Tensor {
    let name = weighting["type"].as_str().or(weighting.as_str()).unwrap();
    let parameter = |key: &str, default: f64| weighting[key].as_f64().unwrap_or(default);
    let (a, b, slope) = (&point.a, &point.b, point.gamma_prime().unwrap());
    let snr = (a / b).square();
    let unbounded = !point.bounded();
    let determinant = a * q - b * p;
    // The error of the data is b/D times that of the output.
    let of_data = (b / &determinant).square();
    let weight = match name {
        "none" => return a.ones_like(),
        "seed" if unbounded => return a.ones_like(),
        "seed" => return &slope * &snr,
        "elbo" => &slope * &snr * of_data,
        "field" if unbounded => {
            let rate = a * b * &slope * 0.5;
            (rate / &determinant).square()
        }
        "field" => &slope * a.square() * 0.25 * of_data,
        "min_snr" => &slope * snr.clamp_max(parameter("kappa", 5.0)) * of_data,
        // e^bias·sigmoid(γ − bias) = 1/(1/SNR + e^(−bias))
        "sigmoid" => {
            let inverse = snr.reciprocal() + (-parameter("bias", 0.0)).exp();
            &slope / inverse * of_data
        }
        "edm" => (&snr + parameter("sigma_data", 0.5).powi(-2)) * of_data,
        other => panic!("{other}"),
    };
    if unbounded { weight.clamp_max(10.0) } else { weight }
}

/// Density of the times of a sampler at points of a path.
fn density(sampler: &Value, point: &PathPoint<'_>, ends: (f64, f64)) -> Tensor {
    let number = |key: &str| sampler[key].as_f64().unwrap();
    let normal = |x: Tensor, mean: f64, std: f64| {
        (((x - mean) / std).square() * -0.5).exp() / (std * (2.0 * std::f64::consts::PI).sqrt())
    };
    let t = &point.t;
    match sampler["type"].as_str() {
        None => t.ones_like(),
        Some("logit_normal") => {
            normal(t.logit(None), number("mean"), number("std")) / (t - t.square())
        }
        _ => {
            let (mean, std) = (-2.0 * number("mean"), 2.0 * number("std"));
            let share =
                |end: f64| ((Tensor::from(end) - mean) / std).special_ndtr().double_value(&[]);
            let inside = share(ends.1) - share(ends.0);
            normal(point.gamma(), mean, std) * point.gamma_prime().unwrap() / inside
        }
    }
}

fn plain(weighting: &Value, path: &Path) -> Weights {
    triflow_plugins::link();
    let weighting: Component<dyn LossWeighting> =
        serde_json::from_value(weighting.clone()).unwrap();
    Weights::new(weighting.build(&()).unwrap(), path).unwrap()
}

/// Weights of errors at a point, of the output p·data + q·noise of an objective.
fn of_flow(weights: &Weights, objective: &dyn Objective, point: &PathPoint<'_>) -> Tensor {
    let reading = triflow::path::Reading::new(objective, point).unwrap();
    weights.flow(&reading).unwrap().unwrap_or_else(|| point.t.ones_like())
}

const OBJECTIVES: [(&str, (f64, f64)); 3] =
    [("flow_matching", (1.0, -1.0)), ("diffusion", (0.0, 1.0)), ("ct", (1.0, 0.0))];

/// Nodes and weights of a quadrature over (0, 1), denser at the ends, where quantiles have infinite
/// slopes.
fn quadrature() -> (Tensor, Tensor) {
    let (v, parts) = gauss_legendre(0.0, 1.0, 50_000);
    let (v, parts) = (Tensor::from_slice(&v), Tensor::from_slice(&parts));
    let turn = v * (2.0 * std::f64::consts::PI);
    let nodes = (&turn - turn.sin()) / (2.0 * std::f64::consts::PI);
    (nodes.clamp_max(1.0 - f64::EPSILON), parts * (1.0 - turn.cos()))
}

/// A test function, which is 0 at both ends, where densities and weights may be infinite.
fn errors(point: &PathPoint<'_>) -> Tensor {
    (&point.t - point.t.square()).pow_tensor_scalar(3) * 64.0
}

#[test]
fn a_weight_times_the_density_of_the_times_integrates_to_what_is_documented() {
    let (nodes, parts) = quadrature();
    for (path_name, path) in paths() {
        let at_nodes = path.at(&nodes).unwrap();
        let unbounded = (f64::NEG_INFINITY, f64::INFINITY);
        let ends = if path.bounded() { path.gamma_range().unwrap() } else { unbounded };
        for sampler in samplers(&path) {
            let (point, factor) = times(sampler.clone(), &path).at(&nodes, &path).unwrap();
            let factor = factor.unwrap_or_else(|| point.t.ones_like());
            let density = density(&sampler, &at_nodes, ends);
            for weighting in weightings() {
                for (name, numbers) in OBJECTIVES {
                    let (weights, objective) = (plain(&weighting, &path), objective(name));
                    let drawn = of_flow(&weights, &*objective, &point) * &factor * errors(&point);
                    let of_times = documented(&weighting, &at_nodes, numbers) * &density;
                    let expected = (of_times * errors(&at_nodes)).dot(&parts);
                    let what = format!("{sampler} {weighting} {path_name} {name}");
                    assert_within(&what, &drawn.dot(&parts), &values(&expected), 1e-8, 1e-2);
                }
            }
        }
    }
}

#[test]
fn a_normalised_weight_has_mean_one_over_the_times_of_the_sampler() {
    let (nodes, parts) = quadrature();
    for (path_name, path) in paths() {
        // The means of uniform and stratified times are the same.
        for sampler in samplers(&path).into_iter().skip(1) {
            let times = times(sampler.clone(), &path);
            let (point, factor) = times.at(&nodes, &path).unwrap();
            let factor = factor.unwrap_or_else(|| point.t.ones_like());
            // Where γ' is 0 at an end, log-SNR determines the time to half the digits only.
            let tolerance = if sampler == "importance" { 1e-8 } else { 1e-9 };
            for weighting in weightings() {
                for (name, _) in [OBJECTIVES[0], OBJECTIVES[2]] {
                    let objective = objective(name);
                    let weights = plain(&weighting, &path);
                    let weights = weights.normalised(&path, &*objective, &times).unwrap();
                    let flow = of_flow(&weights, &*objective, &point) * &factor;
                    let data = weights.data(&point).unwrap().map(|w| w * &factor);
                    let what = format!("{sampler} {weighting} {path_name} {name}");
                    if weights.is_one() {
                        continue;
                    }
                    assert_within(&what, &flow.dot(&parts), &[1.0], tolerance, 1.0);
                    assert_within(&what, &data.unwrap().dot(&parts), &[1.0], tolerance, 1.0);
                }
            }
        }
    }
}

#[test]
fn means_meet_their_closed_forms() {
    let of = |weighting: Value, path: &Path, name: &str| {
        let times = times(json!("stratified"), path);
        plain(&weighting, path).normalised(path, &*objective(name), &times).unwrap().means()
    };
    let close = |what: &str, found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-9, "{what}: {found} against {expected}");
    };
    // Straight lines, the velocity: min(2t/(1 − t), 10) from 0 to 5/6 and beyond, and
    // min(2t/(1 − t), 2κ(1 − t)/t), whose parts meet at t = √κ/(1 + √κ).
    let below = |t: f64| -2.0 * t - 2.0 * (-t).ln_1p();
    let (straight, flow) = (rectified(), "flow_matching");
    let elbo = below(5.0 / 6.0) + 10.0 / 6.0;
    close("elbo", of(json!("elbo"), &straight, flow).0, elbo);
    close("elbo, data", of(json!("elbo"), &straight, flow).1, elbo);
    for kappa in [0.5_f64, 5.0] {
        let kink = kappa.sqrt() / (1.0 + kappa.sqrt());
        let expected = below(kink) + 2.0 * kappa * (kink - 1.0 - kink.ln());
        let weighting = json!({ "type": "min_snr", "kappa": kappa });
        close("min_snr", of(weighting, &straight, flow).0, expected);
    }
    close("field", of(json!("field"), &straight, flow).0, 1.0);
    // Every schedule: ∫ γ' dt, ∫ SNR' dt and ∫ γ'·min(SNR, κ) dt by the ends of log-SNR alone, also
    // where γ' is very large (laplace_logsnr) or 0 (cosine, quadratic) at an end.
    for name in ["linear", "cosine", "quadratic", "laplace_logsnr", "karras", "monotonic_nn"] {
        let path = variance_preserving(schedule_of(name));
        let (start, end) = path.gamma_range().unwrap();
        let (noise, data) = of(json!("elbo"), &path, "diffusion");
        close(&format!("{name} noise"), noise, end - start);
        close(&format!("{name} data"), data, end.exp() - start.exp());
        close(&format!("{name} ct"), of(json!("elbo"), &path, "ct").0, end.exp() - start.exp());
        let kink = 5f64.ln().min(end);
        let expected = kink.exp() - start.exp() + 5.0 * (end - kink);
        close(&format!("{name} min_snr"), of(json!("min_snr"), &path, "ct").0, expected);
        // ∫ γ'·sigmoid(−γ) dt = softplus(−γ_0) − softplus(−γ_1)
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let expected = softplus(-start) - softplus(-end);
        close(&format!("{name} sigmoid"), of(json!("sigmoid"), &path, "diffusion").0, expected);
    }
    // A weight that is not a multiple of γ': ∫ SNR dt + 1/σ² of alpha_bar rising from 0.01 to 0.99,
    // with ∫ x/(1 − x) dx = −x − ln(1 − x).
    let path = variance_preserving(schedule_of("linear"));
    let primitive = |x: f64| -x - (-x).ln_1p();
    let expected = (primitive(0.99) - primitive(0.01)) / 0.98 + 4.0;
    close("edm", of(json!("edm"), &path, "ct").0, expected);
}

fn schedule_of(name: &str) -> Box<dyn NoiseSchedule> {
    match name {
        "karras" | "monotonic_nn" => {
            triflow_plugins::link();
            let vars = nn::VarStore::new(Device::Cpu);
            let context = BuildContext {
                vars: vars.root(),
                target_shape: vec![2],
                target_blocks: Block::numbers(&[2]),
                condition_shape: None,
                latent_shape: Some(vec![2]),
            };
            Component::<dyn NoiseSchedule>::named(name).unwrap().build(&context).unwrap()
        }
        _ => schedule(name, &json!({}), false, Kind::Double).1,
    }
}

#[test]
fn edm_gives_the_output_of_its_network_weight_one_at_all_noise_levels() {
    /// (p, q) of the network of Karras et al., table 1, whose output has unit variance.
    struct Scaled(f64);
    impl Objective for Scaled {
        fn mix(&self, point: &PathPoint<'_>) -> Result<(Tensor, Tensor)> {
            let spread = ((&point.a * self.0).square() + point.b.square()).sqrt();
            Ok((&point.b / (&spread * self.0), &point.a * -self.0 / spread))
        }

        fn default_path(&self) -> Result<&'static str> {
            Ok("rectified")
        }
    }
    let t = Tensor::linspace(0.05, 0.7, 27, (Kind::Double, Device::Cpu));
    for (name, path) in paths() {
        for sigma_data in [0.5, 1.0, 3.0] {
            let weights = plain(&json!({ "type": "edm", "sigma_data": sigma_data }), &path);
            let point = path.at(&t).unwrap();
            let found = of_flow(&weights, &Scaled(sigma_data), &point);
            assert_within(name, &found, &[1.0; 27], 1e-10, 1.0);
        }
    }
}

#[test]
fn a_weight_whose_mean_cannot_be_divided_by_is_refused() {
    struct Constant(f64);
    impl LossWeighting for Constant {
        fn weight(&self, point: &PathPoint<'_>) -> Result<Weight> {
            Ok(Weight::Output(point.t.full_like(self.0)))
        }
    }
    let path = rectified();
    let times = times(json!("stratified"), &path);
    for (constant, mean) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN")] {
        let weights = Weights::new(Box::new(Constant(constant)), &path).unwrap();
        let error = weights.normalised(&path, &*objective("ct"), &times).unwrap_err().to_string();
        let expected =
            format!("its mean over time is {mean}, and cannot be divided by\n  at loss.weighting");
        assert!(error.starts_with(&expected), "{error}");
    }
}

//! Every path: closed forms of its coefficients, the reading of every objective on it, and every
//! solver along it against the exact end for Gaussian data.

use crate::common::gaussian::{Data, Exact};
use crate::common::{assert_close, built_in, objective, path_of, solver, values};
use serde_json::{Value, json};
use triflow::path::{END_GAP, Path};
use triflow::prelude::*;
use triflow::rng::{Purpose, seed_torch};
use triflow::tch::{Device, Kind};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

/// The path of a spec, on the noise schedule `name` if it follows one.
fn along(spec: Value, name: &str, keys: Value) -> Path {
    path_of(spec, Some(crate::common::schedule(name, &keys, false, Kind::Double).1))
}

/// A path of every kind, with a name for messages.
fn paths() -> Vec<(&'static str, Path)> {
    let all = vec![
        ("rectified", along("rectified".into(), "linear", json!({}))),
        ("polynomial", along(json!({ "type": "polynomial", "n": 2.0 }), "linear", json!({}))),
        ("variance_preserving", along("variance_preserving".into(), "cosine", json!({}))),
        (
            "variance_exploding",
            along("variance_exploding".into(), "karras", json!({ "sigma_max": 20.0 })),
        ),
        (
            "sub_variance_preserving",
            along("sub_variance_preserving".into(), "linear_beta", json!({})),
        ),
    ];
    let known: Vec<&str> = built_in(Some("path")).iter().map(|entry| entry.info.name).collect();
    assert!(known.iter().all(|name| all.iter().any(|(n, _)| n == name)), "{known:?}");
    all
}

/// Names of all objectives, each of which is tried on every path.
fn objectives() -> Vec<&'static str> {
    built_in(Some("objective")).iter().map(|entry| entry.info.name).collect()
}

fn column(t: &Tensor) -> Tensor {
    t.unsqueeze(1)
}

/// Slope of [`Line`].
const RATE: f64 = 14.0;

/// γ = 14t − 5, with which everything is elementary.
struct Line;

impl NoiseSchedule for Line {
    fn gamma(&self, t: &Tensor) -> Result<Tensor> {
        Ok(t * RATE - 5.0)
    }
}

#[test]
fn coefficients_log_snr_and_rates_meet_their_closed_forms() {
    let t = Tensor::from_slice(&[0.02, 0.3, 0.5, 0.77, 0.99]);
    let close = |what: &str, ours: &Tensor, exact: &Tensor| {
        assert_close(what, ours, &values(exact), 1e-12);
    };
    for n in [0.5, 2.0, 3.0] {
        let path = path_of(json!({ "type": "polynomial", "n": n }), None);
        let point = path.at(&t).unwrap();
        let a = t.pow_tensor_scalar(n);
        close("a", &point.a, &a);
        close("b", &point.b, &a.rsub_scalar(1.0));
        let (a_rate, b_rate) = point.rates(Clock::Time).unwrap();
        close("a'", &a_rate, &(t.pow_tensor_scalar(n - 1.0) * n));
        close("b'", &b_rate, &(t.pow_tensor_scalar(n - 1.0) * -n));
        assert!(!path.bounded() && path.interpolates().unwrap() && !path.scheduled());
        assert_eq!(path.start_scale().unwrap(), 1.0);
    }
    let gamma = Line.gamma(&t).unwrap();
    let alpha_bar = gamma.sigmoid();
    let exploding = json!({ "type": "variance_exploding", "sigma_data": 0.5 });
    let exploding = path_of(exploding, Some(Box::new(Line)));
    let point = exploding.at(&t).unwrap();
    let sigma = (&gamma * -0.5).exp();
    close("a", &point.a, &t.ones_like());
    close("b", &point.b, &sigma);
    close("gamma", &point.gamma(), &gamma);
    let (a_rate, b_rate) = point.rates(Clock::Time).unwrap();
    close("a'", &a_rate, &t.zeros_like());
    close("b'", &b_rate, &(&sigma * (-0.5 * RATE)));
    let scale = point.input_scale().unwrap().unwrap();
    close("input scale", &scale, &(sigma.square() + 0.25).rsqrt());
    let start = exploding.start_scale().unwrap();
    assert!((start - (2.5f64).exp()).abs() < 1e-12, "{start}");
    let sub = path_of("sub_variance_preserving".into(), Some(Box::new(Line)));
    let point = sub.at(&t).unwrap();
    close("a", &point.a, &alpha_bar.sqrt());
    close("b", &point.b, &gamma.neg().sigmoid());
    close("gamma", &point.gamma(), &(alpha_bar.log() - gamma.neg().sigmoid().log() * 2.0));
    let slope = &alpha_bar * gamma.neg().sigmoid() * RATE;
    let (a_rate, b_rate) = point.rates(Clock::Time).unwrap();
    close("a'", &a_rate, &(&slope / (alpha_bar.sqrt() * 2.0)));
    close("b'", &b_rate, &slope.neg());
}

#[test]
fn log_snr_its_rate_and_its_inverse_agree_on_every_path() {
    let t = Tensor::from_slice(&[0.03, 0.2, 0.5, 0.71, 0.97]);
    for (name, path) in paths() {
        let close = |what: &str, ours: &Tensor, exact: &Tensor, tolerance: f64| {
            let off = ((ours - exact).abs() / exact.abs().clamp_min(1.0)).max().double_value(&[]);
            assert!(off < tolerance, "{what} on {name}: {ours} rather than {exact}");
        };
        let point = path.at(&t).unwrap();
        let gamma = point.gamma();
        close("gamma", &gamma, &((point.a.log() - point.b.log()) * 2.0), 1e-10);
        // Rates are the slopes of the coefficients.
        const H: f64 = 1e-5;
        let (before, after) = (path.at(&(&t - H)).unwrap(), path.at(&(&t + H)).unwrap());
        let (a_rate, b_rate) = point.rates(Clock::Time).unwrap();
        close("a'", &a_rate, &((&after.a - &before.a) / (2.0 * H)), 1e-6);
        close("b'", &b_rate, &((&after.b - &before.b) / (2.0 * H)), 1e-6);
        let gamma_prime = point.gamma_prime().unwrap();
        let exact = (&a_rate / &point.a - &b_rate / &point.b) * 2.0;
        close("gamma'", &gamma_prime, &exact, 1e-9);
        let (a_slope, b_slope) = point.rates(Clock::Gamma).unwrap();
        close("da/dgamma", &(a_slope * &gamma_prime), &a_rate, 1e-9);
        close("db/dgamma", &(b_slope * &gamma_prime), &b_rate, 1e-9);
        close("time", &path.time_of(&gamma).unwrap(), &t, 1e-9);
        let same = path.at_clocks(gamma.shallow_clone(), Clock::Gamma).unwrap();
        close("a at gamma", &same.a, &point.a, 1e-9);
        close("b at gamma", &same.b, &point.b, 1e-9);
        close("gamma at gamma", &same.gamma(), &gamma, 1e-12);
        // The ends, or nearly so where log-SNR is infinite there.
        let gap = if path.bounded() { 0.0 } else { END_GAP };
        let ends = path.at(&Tensor::from_slice(&[gap, 1.0 - gap])).unwrap().gamma();
        let (low, high) = path.gamma_range().unwrap();
        close("range", &Tensor::from_slice(&[low, high]), &ends, 1e-9);
    }
}

#[test]
fn every_objective_on_every_path_reads_data_noise_and_velocity() {
    let _stream = seed_torch(3, Purpose::Data, 0);
    // Dense near both ends.
    let u = (Tensor::arange(41, DOUBLE) - 20.0) / 20.0;
    let t = (u * 5.0).sigmoid();
    let data = Tensor::randn([41, 3], DOUBLE) * 2.0 + 1.0;
    let noise = data.randn_like();
    for (name, path) in paths() {
        let point = path.at(&t).unwrap();
        let mix = |a: &Tensor, b: &Tensor| column(a) * &data + column(b) * &noise;
        let z = mix(&point.a, &point.b);
        for of in objectives() {
            let objective = objective(of);
            let reading = Reading::new(&*objective, &point).unwrap();
            let output = reading.target(&data, &noise);
            for clock in [Clock::Time, Clock::Gamma] {
                let (a_rate, b_rate) = point.rates(clock).unwrap();
                let velocity = reading.derivative(&z, &output, clock).unwrap();
                let what = format!("{of} on {name}: velocity in {clock:?}");
                relative(&what, &velocity, &mix(&a_rate, &b_rate));
            }
            relative(&format!("{of} on {name}: data"), &reading.data(&z, &output), &data);
            relative(&format!("{of} on {name}: noise"), &reading.noise(&z, &output), &noise);
        }
    }
}

/// Asserts that rows agree to 1e-10 of the largest entry of the row, or of 1.
fn relative(what: &str, found: &Tensor, exact: &Tensor) {
    let size = exact.abs().amax([1].as_slice(), true).clamp_min(1.0);
    let error = ((found - exact).abs() / size).max().double_value(&[]);
    assert!(error < 1e-10, "{what}: {error:e}");
}

/// Solvers with their orders, each on every path.
fn solvers() -> [(Value, f64); 7] {
    [
        (json!({ "type": "euler" }), 1.0),
        (json!({ "type": "midpoint" }), 2.0),
        (json!({ "type": "rk4" }), 4.0),
        (json!({ "type": "ddim" }), 1.0),
        (json!({ "type": "dpmpp" }), 2.0),
        (json!({ "type": "heun_edm" }), 2.0),
        (json!({ "type": "exponential", "sigma_data": 0.9 }), 2.0),
    ]
}

#[test]
fn every_solver_with_every_objective_and_grid_meets_the_exact_end_of_every_path() {
    let _stream = seed_torch(13, Purpose::Sample, 0);
    let data = Data { m: Tensor::from_slice(&[0.7, -0.2, 0.1]), s: 0.6 };
    let z0 = Tensor::from_slice(&[0.3, -1.1, 2.0]).unsqueeze(0);
    let (all, mut turn, mut wrong) = (objectives(), 0, Vec::new());
    for (name, path) in paths() {
        let scale = path.start_scale().unwrap();
        for grid in ["time", "gamma", "karras", "shifted"] {
            // An exact prediction has one field, whatever is predicted.
            let few = |of: &str| {
                let field = Exact::on(&data, &path, of, grid);
                let heun = solver(json!({ "type": "heun" }));
                let z = field.sample(&*heun, 5, Some(false), &z0, &mut ()).unwrap().z;
                (field.grid(5).unwrap(), z)
            };
            let (nodes, z) = few(all[0]);
            for of in &all[1..] {
                let (own_nodes, own) = few(of);
                if own_nodes == nodes {
                    assert_close(&format!("{name} {of} {grid:?}"), &own, &values(&z), 1e-8);
                }
            }
            for (spec, order) in solvers() {
                turn += 1;
                let of = all[turn % all.len()];
                let (field, solver) = (Exact::on(&data, &path, of, grid), solver(spec.clone()));
                let error = |steps: usize| {
                    let sampled = field.sample(&*solver, steps, Some(false), &z0, &mut ()).unwrap();
                    let nodes = field.grid(steps).unwrap();
                    let [from, to] = [nodes.start(), nodes.end()]
                        .map(|s| path.at_clock(s, field.clock(), &z0).unwrap());
                    let exact = data.exact_end(&(&z0 * scale), &from, &to);
                    (sampled.z - exact).norm().double_value(&[])
                };
                let [coarse, fine] = [160, 320].map(error);
                let slope = (coarse / fine).log2();
                // So small an error may have changed its sign in between.
                if !(fine < 0.1 && (coarse < 1e-6 || slope > order - 0.5)) {
                    wrong.push(format!(
                        "{name} {of} {grid:?} {spec}: order {slope:.2}, {coarse:.2e} {fine:.2e}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

//! Solvers of Gaussian paths on data N(m, s²I): the deterministic ones reach the exact end of the
//! ODE at their order, the stochastic ones keep mean and covariance.

use crate::common::gaussian::{Data, Exact, path};
use crate::common::{
    OBJECTIVES, assert_close, golden, label, list, rectified, solver, tensor, values,
};
use serde_json::{Value, json};
use triflow::path::Path;
use triflow::prelude::*;
use triflow::rng::{Purpose, TorchStream, seed_torch};
use triflow::sample::{PredictorField, Trajectory};
use triflow::tch::{Device, Kind};

fn file() -> Value {
    golden(include_str!("../golden/gaussian.json"))
}

const GRIDS: [&str; 4] = ["time", "gamma", "karras", "shifted"];

/// The step grid `name` with these parameters.
fn step_grid(name: &str, keys: Value) -> Box<dyn StepGrid> {
    let keys = keys.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.to_string()));
    let keys: Vec<_> = keys.collect();
    Component::named(name).unwrap().with_keys(&keys).unwrap().build(&()).unwrap()
}

fn clock(name: &str) -> Clock {
    step_grid(name, json!({})).clock().unwrap()
}

/// Deterministic solvers and their orders.
fn deterministic() -> [(Value, f64); 6] {
    [
        (json!({ "type": "ddim" }), 1.0),
        (json!({ "type": "dpmpp" }), 2.0),
        (json!({ "type": "heun_edm" }), 2.0),
        (json!({ "type": "euler_maruyama", "eta": 0.0 }), 1.0),
        (json!({ "type": "exponential", "sigma_data": 0.9 }), 2.0),
        (json!({ "type": "exponential", "sigma_data": 0.9, "order": 1 }), 1.0),
    ]
}

/// A stream for this thread: solvers draw even with zero churn, and must not disturb other tests.
fn own_stream() -> TorchStream {
    seed_torch(13, Purpose::Sample, 0)
}

/// Largest distance between the numerical and the exact end.
fn error(
    golden: &Value,
    path: &Path,
    (objective, grid): (&str, &str),
    solver: &dyn Solver,
    steps: usize,
) -> f64 {
    let _stream = own_stream();
    let data = Data::of(golden);
    let z0 = tensor(&golden["z0"]);
    let field = Exact::on(&data, path, objective, grid);
    let ours = field.sample(solver, steps, Some(false), &z0, &mut ()).unwrap().z;
    let nodes = field.grid(steps).unwrap();
    let [from, to] =
        [nodes.start(), nodes.end()].map(|s| path.at_clock(s, clock(grid), &z0).unwrap());
    (ours - data.exact_end(&z0, &from, &to)).norm().double_value(&[])
}

#[test]
fn deterministic_solvers_meet_the_exact_end_at_their_order_on_every_schedule_and_grid() {
    let golden = file();
    let mut wrong = Vec::new();
    for (i, case) in list(&golden["cases"]).iter().enumerate() {
        let path = path(case);
        let objective = OBJECTIVES[i % 3];
        for grid in GRIDS {
            for (spec, order) in deterministic() {
                let solver = solver(spec.clone());
                assert_eq!(solver.order().unwrap() as f64, order);
                assert!(!solver.stochastic().unwrap() && solver.needs_levels().unwrap());
                // Equal steps in time are very unequal in log-SNR near sharp ends.
                let in_time = clock(grid) == Clock::Time;
                let (steps, small) = if in_time { ([160, 320], 1e-6) } else { ([40, 80], 3e-5) };
                let [coarse, fine] =
                    steps.map(|n| error(&golden, &path, (objective, grid), &*solver, n));
                let slope = (coarse / fine).log2();
                // Errors this small may have changed their sign in between.
                let slack = if in_time { 0.45 } else { 0.35 };
                if coarse > small && slope < order - slack {
                    wrong.push(format!(
                        "{} {objective} {grid:?} {spec}: order {slope:.2}, {coarse:.2e} {fine:.2e}",
                        label(case)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn on_the_straight_path_ddim_is_euler() {
    let golden = file();
    let (data, path) = (Data::of(&golden), rectified());
    let z0 = tensor(&golden["z0"]);
    let field = Exact::field(&data, &path, "flow_matching", Clock::Time);
    let [ddim, euler] = ["ddim", "euler"].map(|name| {
        let solver = solver(json!({ "type": name }));
        field.sample(&*solver, 10, Some(false), &z0, &mut ()).unwrap().z
    });
    assert_close("ddim", &ddim, &values(&euler), 1e-12);
}

/// The reverse SDE without churn is the ODE, and DPM-Solver++ without churn its deterministic form.
#[test]
fn without_churn_the_sde_is_the_ode() {
    let _stream = own_stream();
    let golden = file();
    for case in &list(&golden["cases"])[..4] {
        let (data, path) = (Data::of(&golden), path(case));
        let z0 = tensor(&golden["z0"]);
        for clock in [Clock::Time, Clock::Gamma] {
            let field = Exact::field(&data, &path, "ct", clock);
            let end = |spec: Value| {
                field.sample(&*solver(spec), 12, Some(false), &z0, &mut ()).unwrap().z
            };
            let euler = end(json!({ "type": "euler" }));
            let still = end(json!({ "type": "euler_maruyama", "eta": 0.0 }));
            assert_close(&label(case), &still, &values(&euler), 1e-11);
        }
    }
}

/// A single step is exact for data N(0, sigma_data²), on any path, grid and objective.
#[test]
fn the_exponential_integrator_is_exact_in_one_step_for_its_gaussian() {
    let golden = file();
    let data = Data { m: Tensor::zeros([3], (Kind::Double, Device::Cpu)), s: 0.37 };
    let z0 = tensor(&golden["z0"]);
    for case in list(&golden["cases"]) {
        let path = path(case);
        for grid in GRIDS {
            for objective in OBJECTIVES {
                let field = Exact::on(&data, &path, objective, grid);
                let one = solver(json!({ "type": "exponential", "sigma_data": 0.37 }));
                let ours = field.sample(&*one, 1, Some(false), &z0, &mut ()).unwrap();
                assert_eq!(ours.nfe, 1);
                let nodes = field.grid(1).unwrap();
                let [from, to] = [nodes.start(), nodes.end()]
                    .map(|s| path.at_clock(s, clock(grid), &z0).unwrap());
                let exact = data.exact_end(&z0, &from, &to);
                let what = format!("{} {objective} {grid:?}", label(case));
                assert_close(&what, &ours.z, &values(&exact), 1e-8);
            }
        }
    }
}

/// Exponential integrators of second order are far more accurate than those of first order, with
/// equal steps in log-SNR and one evaluation a step.
#[test]
fn few_steps_of_second_order_beat_ddim() {
    let golden = file();
    for case in &list(&golden["cases"])[1..] {
        let path = path(case);
        let at = |spec: Value| error(&golden, &path, ("diffusion", "gamma"), &*solver(spec), 20);
        let ddim = at(json!({ "type": "ddim" }));
        for better in ["dpmpp", "exponential"] {
            let ours = at(json!({ "type": better }));
            assert!(ours < ddim / 2.0, "{} {better}: {ours} against {ddim}", label(case));
        }
    }
}

/// Number of samples; their noise is above the bias of the solvers' steps.
const SAMPLES: i64 = 50_000;

/// Asserts that mean and covariance of 50,000 samples are exact at five places of the path, within
/// five standard errors and the bias of the solver's steps: the standard error is σ/√n for a
/// mean of n draws, σ²·√(2/n) for a variance, σ²/√n for a covariance.
fn keeps_the_marginals(spec: &Value, path: &Path, clock: Clock, steps: usize, what: &str) {
    let _stream = seed_torch(11, Purpose::Sample, 3);
    let options = (Kind::Float, Device::Cpu);
    let data = Data { m: Tensor::from_slice(&[1.0_f32, -0.5]), s: 0.6 };
    let field = Exact::field(&data, path, "ct", clock);
    let nodes = field.grid(steps).unwrap();
    let start = path.at_clock(nodes.start(), clock, &data.m).unwrap();
    let deviation = data.variance(&start).sqrt().to_kind(Kind::Float);
    let z0 =
        Tensor::randn([SAMPLES, 2], options) * deviation + &data.m * start.a.to_kind(Kind::Float);
    let solver = solver(spec.clone());
    assert_eq!(solver.stochastic().unwrap(), spec["eta"] != 0.0);
    let mut trajectory = Trajectory::default();
    field.sample(&*solver, steps, Some(false), &z0, &mut trajectory).unwrap();
    let n = (SAMPLES as f64).sqrt();
    for fifth in 1..=5 {
        let i = fifth * steps / 5;
        let point = path.at_clock(trajectory.clock[i], clock, &data.m).unwrap();
        let variance = data.variance(&point).double_value(&[0]);
        let z = trajectory.states[i].to_kind(Kind::Double);
        let mean = z.mean_dim([0].as_slice(), false, Kind::Double);
        let off = (&mean - &data.m * &point.a).abs().max().double_value(&[]);
        let limit = (5.0 / n + 0.004) * variance.sqrt();
        assert!(off < limit, "{what} {spec} at {fifth}/5: mean off by {off} > {limit}");
        let centred = &z - mean;
        let covariance = centred.tr().matmul(&centred) / SAMPLES as f64;
        let right = Tensor::eye(2, (Kind::Double, Device::Cpu)) * variance;
        let off = (covariance - right).abs().max().double_value(&[]);
        let limit = (5.0 * 2.0_f64.sqrt() / n + 0.01) * variance;
        assert!(off < limit, "{what} {spec} at {fifth}/5: covariance off by {off} > {limit}");
    }
}

#[test]
fn stochastic_solvers_keep_mean_and_covariance_all_along() {
    let golden = file();
    let with_eta = |name: &str, eta: f64| json!({ "type": name, "eta": eta });
    let mut specs = vec![(json!({ "type": "ancestral" }), 300)];
    for eta in [0.0, 0.5, 1.0] {
        specs.push((with_eta("ddim", eta), 300));
        specs.push((with_eta("dpmpp", eta), 100));
        specs.push((with_eta("euler_maruyama", eta), 300));
    }
    specs.push((json!({ "type": "heun_edm", "churn": 20.0 }), 100));
    // The linear schedule with steps in log-SNR, and the straight path with steps in time.
    let cases = list(&golden["cases"]);
    let linear = cases.iter().find(|case| case["schedule"] == "linear").unwrap();
    for (spec, steps) in &specs {
        keeps_the_marginals(spec, &path(linear), Clock::Gamma, *steps, "linear");
        if spec["eta"] != 0.0 && spec["eta"] != 0.5 {
            // Even steps in time are coarse in log-SNR at the ends: twice as many for the same
            // bias.
            keeps_the_marginals(spec, &rectified(), Clock::Time, 2 * steps, "rectified");
        }
    }
}

#[test]
fn a_step_of_ddim_draws_eta_times_the_noise_of_the_ddpm_posterior() {
    let _stream = seed_torch(12, Purpose::Sample, 0);
    let golden = file();
    let cases = list(&golden["cases"]);
    let path = path(cases.iter().find(|case| case["schedule"] == "linear").unwrap());
    let data = Data { m: Tensor::from_slice(&[1.0, -0.5]), s: 0.6 };
    let field = Exact::field(&data, &path, "diffusion", Clock::Time);
    // All rows start from the same state: they differ after a step only by its noise.
    let z0 = Tensor::from_slice(&[0.3, -0.8]).expand([SAMPLES, 2], false).contiguous();
    for (name, eta) in [("ancestral", 1.0), ("ddim", 1.0), ("ddim", 0.4)] {
        let spec = match name {
            "ddim" => json!({ "type": name, "eta": eta }),
            _ => json!({ "type": name }),
        };
        let mut trajectory = Trajectory::default();
        field.sample(&*solver(spec), 5, Some(false), &z0, &mut trajectory).unwrap();
        let alpha_bar = |i: usize| {
            let point = path.at_clock(trajectory.clock[i], Clock::Time, &z0).unwrap();
            point.a.square().double_value(&[0])
        };
        let (from, to) = (alpha_bar(0), alpha_bar(1));
        // Equation 16 of Song, Meng & Ermon 2021.
        let exact = eta * ((1.0 - to) / (1.0 - from) * (1.0 - from / to)).sqrt();
        let drawn = trajectory.states[1].std_dim([0].as_slice(), true, false);
        for spread in values(&drawn) {
            let off = spread / exact - 1.0;
            assert!(off.abs() < 5.0 / (2.0 * SAMPLES as f64).sqrt(), "{name} {eta}: off by {off}");
        }
    }
}

#[test]
fn karras_nodes_are_even_in_the_root_of_sigma() {
    let grid = step_grid("karras", json!({ "rho": 3 })).nodes(-4.0, 6.0, 8).unwrap();
    assert_eq!((grid.start(), grid.end(), grid.nodes.len()), (-4.0, 6.0, 9));
    let roots: Vec<f64> = grid.nodes.iter().map(|g| (-g / 2.0).exp().powf(1.0 / 3.0)).collect();
    let steps: Vec<f64> = roots.windows(2).map(|pair| pair[0] - pair[1]).collect();
    assert!(steps.iter().all(|step| (step / steps[0] - 1.0).abs() < 1e-12), "{steps:?}");
    // The example of the paper: 18 levels between 80 and 0.002 at rho 7.
    let (high, low) = (80.0_f64, 0.002_f64);
    let karras = step_grid("karras", json!({ "rho": 7 }));
    let grid = karras.nodes(-2.0 * high.ln(), -2.0 * low.ln(), 17).unwrap();
    let sigma = |i: usize| (-grid.nodes[i] / 2.0).exp();
    let paper = |i: f64| {
        let (a, b) = (high.powf(1.0 / 7.0), low.powf(1.0 / 7.0));
        (a + i / 17.0 * (b - a)).powf(7.0)
    };
    for i in 0..18 {
        assert!((sigma(i) / paper(i as f64) - 1.0).abs() < 1e-10);
    }
}

#[test]
fn shifted_nodes_follow_the_shift_of_the_noise_share() {
    for shift in [0.5, 1.0, 3.0, 6.0] {
        let shifted = step_grid("shifted", json!({ "shift": shift }));
        assert_eq!(shifted.clock().unwrap(), Clock::Time);
        let nodes = shifted.nodes(0.0, 1.0, 10).unwrap().nodes;
        for (i, t) in nodes.iter().enumerate() {
            // Equation 23 of Esser et al. 2024, with the shift √(m/n).
            let noise = 1.0 - i as f64 / 10.0;
            let right = shift * noise / (1.0 + (shift - 1.0) * noise);
            assert!((1.0 - t - right).abs() < 1e-14, "{shift} {i}: {t}");
        }
        // Above 1 the first steps are the shorter ones.
        let ratio = (nodes[10] - nodes[9]) / nodes[1];
        assert!((ratio.ln() / shift.ln() > 0.5) || shift == 1.0, "{shift}: {ratio}");
        // A part of the path has equal steps before the shift, too.
        let part = shifted.nodes(nodes[2], nodes[7], 5).unwrap().nodes;
        let off = part.iter().zip(&nodes[2..]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-14, "{shift}: {off}");
    }
}

#[test]
fn a_grid_that_leaves_the_path_or_turns_back_is_refused() {
    struct Nodes(Vec<f64>);
    impl StepGrid for Nodes {
        fn nodes(&self, _: f64, _: f64, _: usize) -> Result<Grid> {
            Ok(Grid { nodes: self.0.clone() })
        }
        fn clock(&self) -> Result<Clock> {
            Ok(Clock::Time)
        }
    }
    let golden = file();
    let (data, path) = (Data::of(&golden), rectified());
    for (nodes, told) in [
        (vec![0.0, 1.0], "has 2 nodes for 2 steps, expected 3"),
        (vec![], "has 0 nodes"),
        (vec![0.0, 0.5, 0.9], "goes from 0 to 0.9, expected from 0 to 1"),
        (vec![0.0, 1.5, 1.0], "does not increase: node 1 of 2 is 1.5, the next 1"),
        (vec![0.0, f64::NAN, 1.0], "does not increase: node 0 of 2 is 0, the next NaN"),
    ] {
        let objective = crate::common::objective("flow_matching");
        let exact = Exact { data: &data, path: &path, objective };
        let field = PredictorField::on(exact, Box::new(Nodes(nodes))).unwrap();
        let error = field.grid(2).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn bosh3_needs_fewer_evaluations_than_dopri5_at_a_loose_tolerance() {
    let golden = file();
    let (data, z0) = (Data::of(&golden), tensor(&golden["z0"]));
    let (mut bosh3, mut dopri5) = (0, 0);
    for case in &list(&golden["cases"])[1..] {
        let path = path(case);
        let field = Exact::field(&data, &path, "diffusion", Clock::Gamma);
        let run = |name: &str| {
            let solver = solver(json!({ "type": name, "rtol": 1e-2, "atol": 1e-3 }));
            let end = field.sample(&*solver, 1, Some(false), &z0, &mut ()).unwrap();
            let far = (end.z - tensor(&case["endpoint"])).abs().max().double_value(&[]);
            assert!(far < 0.02, "{} {name}: {far}", label(case));
            end.nfe
        };
        bosh3 += run("bosh3");
        dopri5 += run("dopri5");
    }
    assert!(bosh3 < dopri5, "{bosh3} against {dopri5} evaluations in all");
}

/// If one of two rows is much harder, the error norm of the batch is below that of the worst row.
#[test]
fn the_worst_row_takes_no_fewer_steps_than_the_batch() {
    let golden = file();
    let (data, path) = (Data::of(&golden), rectified());
    let easy = Tensor::zeros([63, 3], (Kind::Double, Device::Cpu));
    let z0 = Tensor::cat(&[easy, tensor(&golden["z0"]).view([-1, 3]) * 30.0], 0);
    let field = Exact::field(&data, &path, "flow_matching", Clock::Time);
    let nfe = |error: &str| {
        let solver = solver(json!({ "type": "dopri5", "atol": 1e-4, "error": error }));
        field.sample(&*solver, 1, Some(false), &z0, &mut ()).unwrap().nfe
    };
    assert!(nfe("worst_row") > nfe("batch"), "{} {}", nfe("worst_row"), nfe("batch"));
}

#[test]
fn a_field_on_no_gaussian_path_is_refused_with_the_reason() {
    struct Plain;
    impl Field for Plain {
        fn derivative(&self, z: &Tensor, _: f64) -> Result<Tensor> {
            Ok(z.shallow_clone())
        }
        fn data(&self, z: &Tensor, _: f64) -> Result<Tensor> {
            Ok(z.shallow_clone())
        }
    }
    let z0 = Tensor::zeros([1, 1], (Kind::Double, Device::Cpu));
    for (spec, _) in deterministic() {
        let grid = Grid::uniform(0.0, 1.0, 3);
        let e = solver(spec).integrate(&Plain, &z0, &grid, &mut ()).unwrap_err();
        assert!(e.to_string().contains("not Gaussian"), "{e}");
    }
}

//! Samplers and conversions on Gaussian data N(m, s²I), for which the best prediction and the end
//! of the probability-flow ODE are known in closed form. The exact prediction replaces the network;
//! everything else is the code that samples models.

use crate::common::gaussian::{Data, Exact, path};
use crate::common::{
    OBJECTIVES, assert_close, assert_within, golden, label, list, numbers, objective, rectified,
    solver, tensor, values, variance_preserving,
};
use serde_json::{Value, json};
use triflow::path::{END_GAP, Path, Reading};
use triflow::prelude::*;
use triflow::sample::Trajectory;
use triflow::tch::Kind;

fn file() -> Value {
    golden(include_str!("../golden/gaussian.json"))
}

#[test]
fn every_objective_reads_the_exact_prediction_alike() {
    let golden = file();
    let data = Data::of(&golden);
    let cases = list(&golden["cases"]);
    assert_eq!(cases.len(), 21);
    for case in cases {
        let path = path(case);
        for golden in list(&case["predictors"]) {
            let point = path.at(&Tensor::from_slice(&numbers(&golden["t"]))).unwrap();
            let z = tensor(&golden["z"]).view([1, 3]);
            let what = format!("{} t={}", label(case), golden["t"]);
            let marginal = data.variance(&point);
            assert_close(&what, &marginal, &numbers(&golden["marginal_var"]), 1e-10);
            let (clean, noise) = data.prediction(&z, &point);
            let b = point.b.double_value(&[0]);
            for name in OBJECTIVES {
                let objective = objective(name);
                let reading = Reading::new(&*objective, &point).unwrap();
                let determinant = reading.determinant().double_value(&[0]).abs();
                if determinant == 0.0 {
                    continue;
                }
                let output = reading.target(&clean, &noise);
                let tolerance = (1e-15 / determinant).max(1e-10);
                let check = |key: &str, ours: &Tensor| {
                    if golden[key].is_null() {
                        return;
                    }
                    let expected = numbers(&golden[key]);
                    let size = expected.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
                    let tolerance = if key == "score" { tolerance / b } else { tolerance };
                    assert_within(
                        &format!("{what} {name} {key}"),
                        ours,
                        &expected,
                        tolerance,
                        size,
                    );
                };
                check("target", &reading.data(&z, &output));
                check("noise", &reading.noise(&z, &output));
                check("velocity", &reading.derivative(&z, &output, Clock::Time).unwrap());
                if b > 0.0 {
                    check("score", &reading.score(&z, &output));
                }
            }
        }
    }
}

/// The numerical and the exact end of the golden z0 under an objective.
fn end_of(
    golden: &Value,
    path: &Path,
    name: &str,
    clock: Clock,
    solver: &dyn Solver,
    steps: usize,
) -> (Tensor, Tensor) {
    let data = Data::of(golden);
    let z0 = tensor(&golden["z0"]);
    let field = Exact::field(&data, path, name, clock);
    let grid = field.grid(steps).unwrap();
    let ours = field.sample(solver, steps, Some(false), &z0, &mut ()).unwrap();
    assert!(!ours.denoised);
    let ends = [grid.start(), grid.end()].map(|s| path.at_clock(s, clock, &z0).unwrap());
    (ours.z, data.exact_end(&z0, &ends[0], &ends[1]))
}

/// All objectives on the rectified path, and on variance-preserving ones a single objective, in
/// turn.
fn objectives_for(path: &Path, i: usize) -> Vec<&'static str> {
    match path.bounded() {
        false => OBJECTIVES.to_vec(),
        true => vec![OBJECTIVES[i % 3]],
    }
}

fn furthest(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn rk4_in_log_snr_reaches_the_exact_end_along_every_objective_and_schedule() {
    let golden = file();
    let rk4 = solver(json!({ "type": "rk4" }));
    for case in list(&golden["cases"]) {
        let path = path(case);
        for name in OBJECTIVES {
            let (ours, exact) = end_of(&golden, &path, name, Clock::Gamma, &*rk4, 200);
            let what = format!("{} {name}", label(case));
            let error = furthest(&ours, &exact);
            assert!(error < 1e-6, "{what}: {error}");
            if path.bounded() {
                assert!(error < 1e-9, "{what}: {error}");
                assert_close(&what, &ours, &numbers(&case["endpoint"]), 1e-8);
                let known = case["rk4_200_gamma_time_max_err"].as_f64().unwrap();
                assert!((error - known).abs() < 1e-11 + 0.01 * known, "{what}: {error}");
            }
        }
    }
}

#[test]
fn dopri5_reaches_the_exact_end_along_every_objective_and_schedule() {
    let golden = file();
    let dopri5 = solver(json!({ "type": "dopri5", "rtol": 1e-9, "atol": 1e-10 }));
    for case in list(&golden["cases"]) {
        let path = path(case);
        for name in OBJECTIVES {
            let (ours, exact) = end_of(&golden, &path, name, Clock::Gamma, &*dopri5, 1);
            let error = furthest(&ours, &exact);
            assert!(error < 1e-7, "{} {name}: {error}", label(case));
        }
    }
}

/// The golden cases have no schedules given by a distribution of log-SNR, but their exact end holds
/// for any.
#[test]
fn every_solver_reaches_the_exact_end_under_distributions_of_log_snr() {
    let golden = file();
    for distribution in ["cauchy_logsnr", "laplace_logsnr"] {
        let schedule = crate::common::schedule(distribution, &json!({}), false, Kind::Double).1;
        let path = variance_preserving(schedule);
        let solvers = [("euler", 0.1), ("midpoint", 1e-3), ("heun", 1e-3), ("rk4", 1e-6)];
        for (name, bound) in solvers.into_iter().chain([("dopri5", 1e-3)]) {
            for objective in OBJECTIVES {
                let solver = solver(json!({ "type": name }));
                let (ours, exact) = end_of(&golden, &path, objective, Clock::Gamma, &*solver, 200);
                let error = furthest(&ours, &exact);
                assert!(error < bound, "{distribution} {objective} {name}: {error}");
            }
        }
    }
}

#[test]
fn in_time_the_straight_path_reaches_its_end_and_the_golden_steps_are_met() {
    let golden = file();
    let rk4 = solver(json!({ "type": "rk4" }));
    for (i, case) in list(&golden["cases"]).iter().enumerate() {
        let path = path(case);
        let rectified = !path.bounded();
        for name in objectives_for(&path, i) {
            let (ours, exact) = end_of(&golden, &path, name, Clock::Time, &*rk4, 200);
            let what = format!("{} {name}", label(case));
            let known = case["rk4_200_max_err"].as_f64().unwrap();
            let error = furthest(&ours, &exact);
            assert!(error < 1e-6_f64.max(1.01 * known), "{what}: {error} against {known}");
            if !rectified || name == "flow_matching" {
                assert_close(&what, &ours, &numbers(&case["rk4_200_endpoint"]), 1e-9);
            }
        }
    }
}

#[test]
fn the_grid_stops_short_only_where_a_reading_or_log_snr_is_singular() {
    let golden = file();
    let data = Data::of(&golden);
    let rectified = rectified();
    let ends = |name: &str, clock: Clock| {
        let grid = Exact::field(&data, &rectified, name, clock).grid(7).unwrap();
        assert_eq!(grid.nodes.len(), 8);
        (grid.start(), grid.end())
    };
    assert_eq!(ends("flow_matching", Clock::Time), (0.0, 1.0));
    assert_eq!(ends("diffusion", Clock::Time), (END_GAP, 1.0));
    assert_eq!(ends("ct", Clock::Time), (0.0, 1.0 - END_GAP));
    for name in OBJECTIVES {
        let (start, end) = ends(name, Clock::Gamma);
        assert_eq!(start, -end);
        let field = Exact::field(&data, &rectified, name, Clock::Gamma);
        assert!((field.time(start).unwrap() - END_GAP).abs() < 1e-15);
        assert!((field.time(end).unwrap() - (1.0 - END_GAP)).abs() < 1e-15);
    }
    for case in &list(&golden["cases"])[1..] {
        let path = path(case);
        let time = Exact::field(&data, &path, "ct", Clock::Time).grid(3).unwrap();
        assert_eq!((time.start(), time.end()), (0.0, 1.0));
        let field = Exact::field(&data, &path, "ct", Clock::Gamma);
        let grid = field.grid(3).unwrap();
        let gamma = path.at(&Tensor::from_slice(&[0.0, 1.0])).unwrap().gamma();
        assert_eq!(vec![grid.start(), grid.end()], values(&gamma));
    }
}

#[test]
fn every_solver_converges_at_its_order_in_log_snr() {
    let golden = file();
    // In log-SNR the field depends on the schedule's ends alone: a few schedules suffice.
    for i in [0, 1, 3, 5, 20] {
        let case = &golden["cases"][i];
        let path = path(case);
        for (name, order) in [("euler", 1.0), ("midpoint", 2.0), ("heun", 2.0), ("rk4", 4.0)] {
            let solver = solver(json!({ "type": name }));
            assert_eq!(solver.order().unwrap() as f64, order);
            for objective in OBJECTIVES {
                let steps = [80, 160];
                let [coarse, fine] = steps.map(|n| {
                    let (ours, exact) =
                        end_of(&golden, &path, objective, Clock::Gamma, &*solver, n);
                    (ours - exact).norm().double_value(&[])
                });
                let slope = (coarse / fine).ln() / 2.0_f64.ln();
                assert!(
                    (slope - order).abs() < 0.15,
                    "{} {objective} {name}: order {slope}, errors {coarse} {fine}",
                    label(case)
                );
            }
        }
    }
}

#[test]
fn final_denoise_returns_the_data_read_at_the_end() {
    let golden = file();
    let data = Data::of(&golden);
    let z0 = tensor(&golden["z0"]);
    let heun = solver(json!({ "type": "heun" }));
    for case in &list(&golden["cases"])[..4] {
        let path = path(case);
        for clock in [Clock::Time, Clock::Gamma] {
            for name in OBJECTIVES {
                let field = Exact::field(&data, &path, name, clock);
                let end = field.grid(10).unwrap().end();
                let plain = field.sample(&*heun, 10, Some(false), &z0, &mut ()).unwrap();
                let clean = field.sample(&*heun, 10, Some(true), &z0, &mut ()).unwrap();
                assert_eq!((plain.denoised, clean.denoised), (false, true));
                assert_eq!((plain.nfe, clean.nfe), (20, 21));
                let point = path.at_clock(end, clock, &z0).unwrap();
                let (expected, _) = data.prediction(&plain.z, &point);
                let what = format!("{} {name} {clock:?}", label(case));
                assert_close(&what, &clean.z, &values(&expected), 1e-10);
                // By default, sampling denoises at the end if noise is left.
                let default = field.sample(&*heun, 10, None, &z0, &mut ()).unwrap();
                let noisy = point.b.double_value(&[0]) > 0.0;
                assert_eq!(default.denoised, noisy, "{what}");
                let chosen = if noisy { &clean.z } else { &plain.z };
                assert_eq!(values(&default.z), values(chosen), "{what}");
            }
        }
    }
}

#[test]
fn sampling_records_no_gradient_and_shows_every_state() {
    let golden = file();
    let data = Data::of(&golden);
    let z0 = tensor(&golden["z0"]).set_requires_grad(true);
    let path = path(&golden["cases"][1]);
    let field = Exact::field(&data, &path, "diffusion", Clock::Gamma);
    for name in ["euler", "midpoint", "heun", "rk4", "dopri5"] {
        let solver = solver(json!({ "type": name }));
        let mut trajectory = Trajectory::default();
        let sampled = field.sample(&*solver, 5, None, &z0, &mut trajectory).unwrap();
        assert!(!sampled.z.requires_grad(), "{name}");
        assert!(trajectory.states[1..].iter().all(|z| !z.requires_grad()), "{name}");
        assert_eq!(values(&trajectory.states[0]), values(&z0));
        if name != "dopri5" {
            assert_eq!(trajectory.clock, field.grid(5).unwrap().nodes);
        }
    }
    assert!(!z0.grad().defined());
}

//! Solvers against golden vectors: one step, many steps, and the steps that an adaptive solver
//! chooses.

use crate::common::{assert_close, golden, list, numbers, solver, tensor, values};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use triflow::prelude::*;
use triflow::sample::Trajectory;

/// The field [sin(z2) + t − z1³/2, −z1·z2 + cos(3t)], which records the times of its
/// evaluations.
#[derive(Default)]
struct Golden {
    times: RefCell<Vec<f64>>,
}

impl Golden {
    fn at(z: &Tensor, t: f64) -> Tensor {
        let (z1, z2) = (z.select(1, 0), z.select(1, 1));
        let first = z2.sin() + t - z1.pow_tensor_scalar(3) * 0.5;
        let second = (z1 * z2).neg() + (3.0 * t).cos();
        Tensor::stack(&[first, second], 1)
    }
}

impl Field for Golden {
    fn derivative(&self, z: &Tensor, s: f64) -> Result<Tensor> {
        self.times.borrow_mut().push(s);
        Ok(Self::at(z, s))
    }

    fn data(&self, z: &Tensor, _: f64) -> Result<Tensor> {
        Ok(z.shallow_clone())
    }
}

fn file() -> Value {
    golden(include_str!("../golden/solvers.json"))
}

fn named(name: &str) -> Box<dyn Solver> {
    solver(json!({ "type": name }))
}

const FIXED: [(&str, usize); 4] = [("euler", 1), ("midpoint", 2), ("heun", 2), ("rk4", 4)];

#[test]
fn one_step_of_every_solver_meets_the_golden_step() {
    let golden = file();
    let z0 = tensor(&golden["z0"]);
    for case in list(&golden["one_step"]) {
        let (t, h) = (case["t"].as_f64().unwrap(), case["h"].as_f64().unwrap());
        let grid = Grid { nodes: vec![t, t + h] };
        for (name, evaluations) in FIXED {
            let field = Golden::default();
            let solution = named(name).integrate(&field, &z0, &grid, &mut ()).unwrap();
            assert_close(&format!("{name} t={t}"), &solution.z, &numbers(&case[name]), 1e-10);
            assert_eq!(solution.nfe, evaluations);
            assert_eq!(field.times.borrow().len(), evaluations, "{name}");
        }
        // One accepted step of dopri5, whose first step is the whole interval.
        let dopri5 = solver(json!({ "type": "dopri5", "first_step": 1.0 }));
        let field = Golden::default();
        let solution = dopri5.integrate(&field, &z0, &grid, &mut ()).unwrap();
        assert_eq!((solution.nfe, solution.rejected), (7, 0));
        assert_close(&format!("dopri5 t={t}"), &solution.z, &numbers(&case["dopri5"]["y"]), 1e-10);
        let last = Golden::at(&solution.z, t + h);
        assert_close(&format!("dopri5 t={t} k7"), &last, &numbers(&case["dopri5"]["k7"]), 1e-10);
    }
}

/// The golden error norm is for rtol 1e-5 and atol 1e-6, and inversely proportional to both
/// together: a step is accepted exactly if the tolerances are at least the norm times these.
#[test]
fn dopri5_accepts_a_step_exactly_when_the_golden_error_norm_says_so() {
    let golden = file();
    let z0 = tensor(&golden["z0"]);
    for case in list(&golden["one_step"]) {
        let (t, h) = (case["t"].as_f64().unwrap(), case["h"].as_f64().unwrap());
        let norm = case["dopri5"]["err_norm_rtol1e5_atol1e6"].as_f64().unwrap();
        let rejected = |factor: f64| {
            let dopri5 = solver(json!({
                "type": "dopri5", "first_step": 1.0,
                "rtol": 1e-5 * norm * factor, "atol": 1e-6 * norm * factor,
            }));
            let grid = Grid { nodes: vec![t, t + h] };
            dopri5.integrate(&Golden::default(), &z0, &grid, &mut ()).unwrap().rejected
        };
        assert_eq!(rejected(1.0 + 1e-6), 0, "t={t}");
        assert!(rejected(1.0 - 1e-6) > 0, "t={t}");
    }
}

#[test]
fn fixed_steps_end_where_the_golden_steps_end() {
    let golden = file();
    let z0 = tensor(&golden["z0"]);
    let cases = list(&golden["fixed"]);
    assert_eq!(cases.len(), 12);
    for case in cases {
        let name = case["method"].as_str().unwrap();
        let steps = case["steps"].as_u64().unwrap() as usize;
        let mut trajectory = Trajectory::default();
        let solution = named(name)
            .integrate(&Golden::default(), &z0, &Grid::uniform(0.0, 1.0, steps), &mut trajectory)
            .unwrap();
        let what = format!("{name} {steps}");
        assert_close(&what, &solution.z, &numbers(&case["endpoint"]), 1e-10);
        let error = (&solution.z - tensor(&golden["reference_t1"])).abs().max();
        assert_close(&what, &error, &numbers(&case["max_err"]), 1e-5);
        // The observer gets every state, including the first and the last.
        let nodes: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
        assert_eq!(trajectory.clock, nodes);
        assert_eq!(values(&trajectory.states[0]), values(&z0));
        assert_eq!(values(&trajectory.states[steps]), values(&solution.z));
    }
}

#[test]
fn dopri5_takes_the_golden_steps() {
    let golden = file();
    let z0 = tensor(&golden["z0"]);
    for case in list(&golden["adaptive"]) {
        let what = format!("rtol {}", case["rtol"]);
        let dopri5 = solver(json!({
            "type": "dopri5", "rtol": case["rtol"], "atol": case["atol"], "first_step": case["h0"],
        }));
        let field = Golden::default();
        let mut trajectory = Trajectory::default();
        let solution =
            dopri5.integrate(&field, &z0, &Grid::uniform(0.0, 1.0, 3), &mut trajectory).unwrap();
        let accepted = numbers(&case["t_accepted"]);
        assert_close(&what, &Tensor::from_slice(&trajectory.clock), &accepted, 1e-9);
        assert_eq!(solution.rejected as u64, case["rejected"].as_u64().unwrap(), "{what}");
        assert_eq!(solution.nfe as u64, case["nfe"].as_u64().unwrap(), "{what}");
        assert_eq!(field.times.borrow().len(), solution.nfe, "{what}");
        assert_close(&what, &solution.z, &numbers(&case["endpoint"]), 1e-9);
        assert_eq!(trajectory.clock.last(), Some(&1.0));
    }
}

#[test]
fn every_solver_has_the_order_it_claims() {
    let golden = file();
    let z0 = tensor(&golden["z0"]);
    let exact = tensor(&golden["reference_t1"]);
    for (name, _) in FIXED {
        let error = |steps| {
            let grid = Grid::uniform(0.0, 1.0, steps);
            let solution = named(name).integrate(&Golden::default(), &z0, &grid, &mut ()).unwrap();
            (solution.z - &exact).norm().double_value(&[])
        };
        let slope = (error(20) / error(40)).log2();
        let claimed = named(name).order().unwrap() as f64;
        assert!((slope - claimed).abs() < 0.15, "{name}: order {slope}");
    }
}

#[test]
fn too_many_steps_are_an_error_and_never_a_shorter_path() {
    let golden = file();
    let case = &golden["adaptive"][3];
    let z0 = tensor(&golden["z0"]);
    let run = |max_steps: usize| {
        let dopri5 = solver(json!({
            "type": "dopri5", "rtol": case["rtol"], "atol": case["atol"], "first_step": case["h0"],
            "max_steps": max_steps,
        }));
        dopri5.integrate(&Golden::default(), &z0, &Grid::uniform(0.0, 1.0, 1), &mut ())
    };
    // The golden case has 7 accepted and 2 rejected steps.
    assert_eq!(run(9).unwrap().nfe as u64, case["nfe"].as_u64().unwrap());
    let message = run(8).unwrap_err().to_string();
    assert!(message.contains("8 steps") && message.contains("max_steps"), "{message}");
}

/// A field that is finite for `turns` evaluations, and then has the value `into`.
struct Breaking {
    calls: Cell<usize>,
    turns: usize,
    into: f64,
}

impl Field for Breaking {
    fn derivative(&self, z: &Tensor, _: f64) -> Result<Tensor> {
        self.calls.set(self.calls.get() + 1);
        let row = if self.calls.get() > self.turns { self.into } else { 1.0 };
        let slope = z.ones_like();
        let _ = slope.get(1).fill_(row);
        Ok(slope)
    }

    fn data(&self, z: &Tensor, _: f64) -> Result<Tensor> {
        Ok(z.shallow_clone())
    }
}

#[test]
fn a_field_that_is_not_finite_is_an_error_for_every_solver() {
    let z0 = Tensor::from_slice(&[0.0, 0.0, 0.0]).view([3, 1]);
    for name in ["euler", "midpoint", "heun", "rk4", "dopri5"] {
        for into in [f64::NAN, f64::INFINITY] {
            for turns in [0, 6] {
                let field = Breaking { calls: Cell::new(0), turns, into };
                let grid = Grid::uniform(0.0, 1.0, 10);
                let outcome = named(name).integrate(&field, &z0, &grid, &mut ());
                let message = outcome.unwrap_err().to_string();
                assert!(message.contains("not finite"), "{name}: {message}");
            }
        }
    }
}

/// A field that is rough in the first attempt only: every second of its first 7 evaluations is 1,
/// all others are 0.
struct RoughStart(Cell<usize>);

impl Field for RoughStart {
    fn derivative(&self, z: &Tensor, _: f64) -> Result<Tensor> {
        self.0.set(self.0.get() + 1);
        let rough = self.0.get() <= 7 && self.0.get().is_multiple_of(2);
        Ok(z.full_like(f64::from(u8::from(rough))))
    }

    fn data(&self, z: &Tensor, _: f64) -> Result<Tensor> {
        Ok(z.shallow_clone())
    }
}

#[test]
fn dopri5_does_not_lengthen_its_step_right_after_a_rejection() {
    let dopri5 = solver(json!({ "type": "dopri5", "first_step": 0.1 }));
    let mut trajectory = Trajectory::default();
    let z0 = Tensor::from_slice(&[0.0]).view([1, 1]);
    let field = RoughStart(Cell::new(0));
    let solution =
        dopri5.integrate(&field, &z0, &Grid::uniform(0.0, 1.0, 1), &mut trajectory).unwrap();
    // The step is cut to a fifth, repeated, then ten times as long, as the error is zero; then the
    // rest.
    assert_eq!((solution.rejected, solution.nfe), (1, 31));
    let nodes = [0.0, 0.02, 0.04, 0.24, 1.0];
    assert_close("nodes", &Tensor::from_slice(&trajectory.clock), &nodes, 1e-12);
}

/// On a field without errors, each step is longer by the largest factor.
#[test]
fn the_factors_of_a_step_are_parameters_within_their_ranges() {
    let nodes = |factor: Value| {
        let dopri5 = solver(json!({ "type": "dopri5", "first_step": 0.1, "factor": factor }));
        let (field, mut trajectory) = (RoughStart(Cell::new(7)), Trajectory::default());
        let z0 = Tensor::from_slice(&[0.0]).view([1, 1]);
        dopri5.integrate(&field, &z0, &Grid::uniform(0.0, 1.0, 1), &mut trajectory).unwrap();
        Tensor::from_slice(&trajectory.clock)
    };
    assert_close("tenfold", &nodes(json!({})), &[0.0, 0.1, 1.0], 1e-12);
    assert_close("twofold", &nodes(json!({ "max": 2 })), &[0.0, 0.1, 0.3, 0.7, 1.0], 1e-12);
    for (key, value, range) in [
        ("safety", 1.5, "0 < safety <= 1"),
        ("min", 1.0, "0 < min < 1"),
        ("max", 0.5, "a number of at least 1"),
        ("alpha", 0.0, "0 < alpha <= 1"),
        ("beta", -0.1, "0 <= beta <= 1"),
    ] {
        let spec = json!({ "type": "bosh3", "factor": { key: value } });
        let spec: Result<Component<dyn Solver>, _> = serde_json::from_value(spec);
        let error = spec.unwrap_err().to_string();
        assert!(error.contains(&format!("factor.{key}")), "{error}");
        assert!(error.contains(&format!("needs {range}, got {value}")), "{error}");
    }
}

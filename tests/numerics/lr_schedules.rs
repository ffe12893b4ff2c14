//! Learning-rate schedules against closed forms.

use triflow::component::LrSchedule;
use triflow::prelude::*;
use triflow::{Experiment, Trainer};
use triflow_plugins::lr_schedules::{Constant, Cosine, InverseSqrt, Linear};

fn built(spec: impl Into<Component<dyn LrSchedule>>) -> Box<dyn LrSchedule> {
    triflow_plugins::link();
    spec.into().build(&()).unwrap()
}

/// Asserts values of the factor over 110 steps.
fn has(spec: impl Into<Component<dyn LrSchedule>>, expected: &[(u64, f64)]) {
    let schedule = built(spec);
    for (step, factor) in expected {
        let found = schedule.factor(*step, 110).unwrap();
        assert!((found - factor).abs() < 1e-15, "{step}: {found}, expected {factor}");
    }
}

#[test]
fn every_schedule_rises_in_a_straight_line_during_its_warm_up() {
    let warmup = 10;
    for schedule in [
        built(Constant { warmup }),
        built(Cosine { warmup, floor: 0.3 }),
        built(Linear { warmup, floor: 0.3 }),
        built(InverseSqrt { warmup }),
    ] {
        for step in 0..10 {
            let rise = (step + 1) as f64 / 10.0;
            assert_eq!(schedule.factor(step, 110).unwrap(), rise);
        }
        // Also if it does not end before the training.
        assert_eq!(schedule.factor(2, 5).unwrap(), 0.3);
    }
}

#[test]
fn a_constant_stays() {
    has(Constant { warmup: 10 }, &[(10, 1.0), (109, 1.0), (1000, 1.0)]);
    has(Constant { warmup: 0 }, &[(0, 1.0)]);
}

#[test]
fn a_cosine_and_a_line_fall_to_their_floor_at_the_end() {
    // A third of the way the cosine is a half, at half of it 0, at two thirds −½.
    let thirds = |step| (step as f64 * std::f64::consts::PI / 100.0).cos();
    let cosine = |step| 0.1 + 0.45 * (1.0 + thirds(step - 10));
    has(Cosine { warmup: 10, floor: 0.1 }, &[(10, 1.0), (60, 0.55), (110, 0.1), (200, 0.1)]);
    has(Cosine { warmup: 10, floor: 0.1 }, &[(17, cosine(17)), (109, cosine(109))]);
    has(Cosine { warmup: 0, floor: 0.0 }, &[(0, 1.0), (55, 0.5), (110, 0.0)]);
    has(Linear { warmup: 10, floor: 0.1 }, &[(10, 1.0), (60, 0.55), (109, 0.109), (110, 0.1)]);
    has(Linear { warmup: 0, floor: 0.0 }, &[(0, 1.0), (11, 0.9), (110, 0.0), (u64::MAX, 0.0)]);
    has(Linear { warmup: 0, floor: 1.0 }, &[(0, 1.0), (50, 1.0), (110, 1.0)]);
}

#[test]
fn the_inverse_root_is_that_of_the_transformer_scaled_to_one() {
    let schedule = built(InverseSqrt { warmup: 40 });
    // min(n^(−1/2), n·w^(−3/2)) of the paper, times w^(1/2).
    for n in 1..=1000_u64 {
        let (s, w) = (n as f64, 40_f64);
        let paper = s.powf(-0.5).min(s * w.powf(-1.5)) * w.sqrt();
        let found = schedule.factor(n - 1, 7).unwrap();
        assert!((found - paper).abs() < 1e-14, "{n}: {found}, expected {paper}");
    }
    has(InverseSqrt { warmup: 0 }, &[(0, 1.0), (3, 0.5), (99, 0.1)]);
}

#[test]
fn a_floor_outside_its_range_is_refused_with_its_key() {
    triflow_plugins::link();
    for (name, floor) in [("cosine", "1.5"), ("linear", "-0.1"), ("cosine", ".nan")] {
        let text = format!(
            "{{ training: {{ lr_schedule: {{ type: {name}, floor: {floor} }} }}, \
             data: {{ samples: 20 }} }}"
        );
        let built = Experiment::from_yaml(&text).and_then(|e| Trainer::new(e, "".as_ref()));
        let error = built.unwrap_err().to_string();
        let expected =
            format!("needs 0 <= floor <= 1, got {floor}\n  at training.lr_schedule.floor");
        assert!(error.starts_with(&expected), "{error}");
    }
}

/// A step of `sgd` is the learning rate times the gradient, which is the same for the first step
/// of every training.
#[test]
fn the_first_step_is_scaled_by_the_factor() {
    triflow_plugins::link();
    let moved = |schedule: &str| {
        let text = format!(
            "{{ training: {{ steps: 1, ema: null, precision: float64, lr_schedule: {schedule}, \
             optimizer: {{ type: sgd, learning_rate: 0.5 }} }}, data: {{ samples: 20 }}, \
             threads: 1, device: cpu, task: generation }}"
        );
        let mut trainer = Trainer::new(Experiment::from_yaml(&text).unwrap(), "".as_ref()).unwrap();
        let before = trainer.trained().parameters();
        trainer.fit(&mut |_, _| Ok(triflow::train::Control::Continue)).unwrap();
        let after = trainer.trained().parameters();
        let all = before.iter().zip(&after).map(|((_, a), (_, b))| (b - a).reshape([-1]));
        Tensor::cat(&all.collect::<Vec<_>>(), 0)
    };
    let (whole, fifth) = (moved("constant"), moved("{ type: linear, warmup: 5 }"));
    assert!(whole.abs().max().double_value(&[]) > 1e-6);
    assert!((whole * 0.2 - fifth).abs().max().double_value(&[]) < 1e-15);
}

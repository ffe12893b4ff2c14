//! Noise, velocity and score from a prediction, the change of path and the inverse of the schedule,
//! against golden vectors.

use crate::common::{
    OBJECTIVES, assert_close, assert_within, golden, label, list, numbers, objective, path,
    rectified, tensor, values,
};
use serde_json::Value;
use triflow::path::{Path, Reading};
use triflow::prelude::*;

fn file() -> Value {
    golden(include_str!("../golden/conversions.json"))
}

/// Asserts that all readings of an output at (`z`, t) equal those of a golden case.
fn check_readings(what: &str, case: &Value, reading: &Reading<'_>, z: &Tensor, output: &Tensor) {
    // A reading amplifies rounding errors by the reciprocal of the determinant.
    let amplified = 1e-15 / reading.determinant().double_value(&[]).abs();
    let tolerance = amplified.max(1e-10);
    let check = |name: &str, ours: Tensor| {
        let expected = numbers(&case[name]);
        let size = expected.iter().fold(1e-3_f64, |m, v| m.max(v.abs()));
        assert_within(&format!("{what} {name}"), &ours, &expected, tolerance, size);
    };
    check("noise", reading.noise(z, output));
    check("velocity", reading.derivative(z, output, Clock::Time).unwrap());
    check("score", reading.score(z, output));
    if case.get("dz_dgamma").is_some() {
        check("dz_dgamma", reading.derivative(z, output, Clock::Gamma).unwrap());
    }
}

/// Checks the readings of a golden case through `ct` (output = data) and through each objective's
/// own output.
fn check_case(case: &Value, path: &Path, what: &str, z: &Tensor, data: &Tensor) {
    let point = path.at(&Tensor::from_slice(&[case["t"].as_f64().unwrap()])).unwrap();
    let ct = objective("ct");
    check_readings(what, case, &Reading::new(&*ct, &point).unwrap(), z, data);
    let noise = tensor(&case["noise"]);
    for name in OBJECTIVES {
        let objective = objective(name);
        let reading = Reading::new(&*objective, &point).unwrap();
        if reading.determinant().double_value(&[]).abs() == 0.0 {
            continue;
        }
        let output = reading.target(data, &noise);
        let what = format!("{what} through {name}");
        check_readings(&what, case, &reading, z, &output);
        let amplified = 1e-15 / reading.determinant().double_value(&[]).abs();
        assert_within(&what, &reading.data(z, &output), &values(data), amplified.max(1e-10), 1.0);
    }
}

#[test]
fn every_objective_reads_noise_velocity_and_score_on_the_variance_preserving_path() {
    let golden = file();
    let (z, data) = (tensor(&golden["z"]), tensor(&golden["target"]));
    let cases = list(&golden["vp"]);
    assert_eq!(cases.len(), 140);
    for case in cases {
        check_case(case, &path(case), &format!("{} t={}", label(case), case["t"]), &z, &data);
    }
}

#[test]
fn every_objective_reads_noise_velocity_and_score_on_the_rectified_path() {
    let golden = file();
    let (z, data) = (tensor(&golden["z"]), tensor(&golden["target"]));
    for case in list(&golden["rectified"]) {
        check_case(case, &rectified(), &format!("rectified t={}", case["t"]), &z, &data);
    }
}

#[test]
fn paths_of_equal_log_snr_differ_by_a_scale() {
    let golden = file();
    let (z, data) = (tensor(&golden["z"]), tensor(&golden["target"]));
    let ct = objective("ct");
    for case in list(&golden["path_change"]) {
        let what = format!("{} tau={}", label(case), case["tau"]);
        let (own, tau) = (path(case), case["tau"].as_f64().unwrap());
        let vp = own.at(&Tensor::from_slice(&[tau])).unwrap();
        let straight = rectified();
        let t = straight.time_of(&vp.gamma()).unwrap();
        let rectified = straight.at(&t).unwrap();
        assert_close(&format!("{what} gamma"), &vp.gamma(), &numbers(&case["gamma"]), 1e-10);
        assert_close(&format!("{what} t"), &t, &numbers(&case["t_rectified"]), 1e-10);
        let scale = (&vp.a + &vp.b).reciprocal();
        assert_close(&format!("{what} scale"), &scale, &numbers(&case["scale"]), 1e-10);
        let moved = &z * scale;
        assert_close(&format!("{what} z"), &moved, &numbers(&case["z_rectified"]), 1e-10);
        let of_vp = Reading::new(&*ct, &vp).unwrap();
        let of_rectified = Reading::new(&*ct, &rectified).unwrap();
        let velocity = of_vp.derivative(&z, &data, Clock::Time).unwrap();
        assert_close(&what, &velocity, &numbers(&case["velocity_vp"]), 1e-10);
        let velocity = of_rectified.derivative(&moved, &data, Clock::Time).unwrap();
        assert_close(&what, &velocity, &numbers(&case["velocity_rectified"]), 1e-10);
        // Both paths have the same prediction of the data, and so of the noise.
        let noise = values(&of_vp.noise(&z, &data));
        assert_close(&what, &of_rectified.noise(&moved, &data), &noise, 1e-10);
    }
}

#[test]
fn time_is_found_from_log_snr() {
    for case in list(&file()["inverse"]) {
        let path = path(case);
        let pairs = numbers(&case["gamma_t"]);
        let (gamma, t): (Vec<f64>, Vec<f64>) = pairs.chunks(2).map(|p| (p[0], p[1])).unzip();
        let ours = path.time_of(&Tensor::from_slice(&gamma)).unwrap();
        for (i, (gamma, t)) in gamma.iter().zip(t).enumerate() {
            let found = ours.get(i as i64);
            let point = path.at_clock(*gamma, Clock::Gamma, &ours).unwrap();
            assert_close(&label(case), &point.t, &values(&found), 1e-15);
            // Where γ' vanishes (cosine at t = 1), a rounding error of γ is 1e-8 in t.
            let slope = path.at(&Tensor::from_slice(&[t])).unwrap().gamma_prime().unwrap();
            let tolerance = if slope.double_value(&[0]) < 1e-6 { 1e-8 } else { 1e-10 };
            assert_close(&label(case), &found, &[t], tolerance);
            assert_close(&label(case), &point.gamma(), &[*gamma], 1e-15);
            let back = path.at_clock(found.double_value(&[]), Clock::Time, &ours).unwrap();
            assert_within(&label(case), &back.gamma(), &[*gamma], 1e-12, 1.0);
        }
    }
}

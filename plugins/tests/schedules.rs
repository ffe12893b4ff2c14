//! Every noise schedule against golden vectors (independent numpy, scipy and mpmath scripts).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{assert_close, golden, numbers, schedule};
use serde_json::Value;
use triflow::path::{Path, PathPoint};
use triflow::prelude::*;
use triflow::tch::Kind;

fn check(set: &Value, t: &[f64], learnable: bool, kind: Kind, tolerances: [f64; 4]) {
    let name = set["schedule"].as_str().unwrap();
    let label = format!("{name} {} learnable={learnable} {kind:?}", set["params"]);
    let (_vs, schedule) = schedule(name, &set["params"], learnable, kind);
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

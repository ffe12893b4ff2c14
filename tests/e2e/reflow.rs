//! `reflow` and `curve`: fewer steps for the same quality, and the picture that shows it.

use crate::command::{Folder, bytes, text};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Runs of an objective and task in a folder, sorted by name.
fn runs(folder: &Path, task: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join(task)).unwrap();
    let mut all: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// Log of a command that succeeds.
fn log(folder: &Folder, args: &[&str]) -> String {
    let done = folder.command(args).output().unwrap();
    let log = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{log}");
    log
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&bytes(path)).unwrap()
}

/// Points (nfe, value) of a solver in a run's entry of a curve's JSON.
fn curve(entry: &Value, solver: &str) -> Vec<(u64, f64)> {
    let points = entry["points"].as_array().unwrap().iter().filter(|p| p["solver"] == solver);
    points.map(|p| (p["nfe"].as_u64().unwrap(), p["value"].as_f64().unwrap())).collect()
}

#[test]
fn a_straightened_run_needs_one_step_where_its_teacher_needs_many() {
    let folder = Folder::new();
    let out = text(folder.path());
    let data = [
        "--set",
        "data.samples=2000",
        "--set",
        "data.val_samples=200",
        "--set",
        "data.test_samples=400",
    ];
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/two_moons.yaml");
    let args = ["train-gen", "--config", config, "--output-dir", out, "--num-epochs", "30"];
    folder.succeeds(&[&args[..], &data].concat());
    let teacher = runs(folder.path(), "flow_matching_gen").remove(0);

    let args = ["reflow", "--run", text(&teacher), "--pairs", "4000", "--output-dir", out];
    folder.succeeds(&[&args[..], &["--train", "training.epochs=25"]].concat());
    let all = runs(folder.path(), "flow_matching_gen");
    assert_eq!(all.len(), 2);
    let student = all.iter().find(|run| **run != teacher).unwrap();
    assert!(student.join("quality_by_evaluations.png").is_file());
    let found = json(&student.join("quality_by_evaluations.json"));
    let [before, after] = [0, 1].map(|i| curve(&found[i], "euler"));
    let evaluations: Vec<u64> = after.iter().map(|p| p.0).collect();
    assert_eq!(evaluations, [1, 2, 4, 8, 16, 32, 64]);
    assert!(after[0].1 < 0.4 * before[0].1, "one step: {before:?}, then {after:?}");
    assert!(after[0].1 < 1.6 * before[6].1, "one step: {before:?}, then {after:?}");

    // The pairs are kept beside the runs as the data of the new run, which can be measured again.
    let pairs = folder.path().join("pairs");
    assert_eq!(std::fs::read_dir(&pairs).unwrap().count(), 1);
    let again = folder.succeeds(&["evaluate", "--run", text(student), "--draws", "1"]);
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["set"], "test");

    // A model that does not fit is an error before the run begins, and leaves nothing.
    let args = ["reflow", "--run", text(&teacher), "--pairs", "50", "--output-dir", out];
    let error = folder.fails(&[&args[..], &["--train", "crn.network.hidden_dims=[8]"]].concat());
    assert!(error.contains("at start_from"), "{error}");
    assert_eq!(std::fs::read_dir(&pairs).unwrap().count(), 1);
    assert_eq!(runs(folder.path(), "flow_matching_gen").len(), 2);
    let error = folder.fails(&[&args[..], &["--solver", "ancestral"]].concat());
    assert!(error.contains("draws noise at its steps"), "{error}");
}

#[test]
fn whatever_a_model_predicts_on_whatever_path_can_be_straightened() {
    let folder = Folder::new();
    let out = text(folder.path());
    for teacher in [
        &["--model-type", "diffusion", "--set", "path=rectified"][..],
        &["--model-type", "ct", "--noise-schedule", "cosine", "--noise-schedule-learnable"],
        &["--set", "path=variance_preserving", "--set", "training.time_sampling=importance"],
        &["--set", "data.type=swiss_roll", "--set", "sampling.solver=dpmpp"],
        &["--set", "source=uniform", "--unconditional"],
    ] {
        let run = folder.tiny(&[&["train-gen"], teacher].concat());
        let args = ["reflow", "--run", text(&run), "--pairs", "60", "--output-dir", out];
        let told = log(&folder, &[&args[..], &["--train", "training.epochs=1"]].concat());
        // The solver of the pairs is the command's choice, and chooses its steps.
        assert!(!told.contains("`sampling.steps` has no effect"), "{told}");
    }
}

#[test]
fn a_run_whose_paths_cannot_be_straightened_is_refused_before_anything_begins() {
    let folder = Folder::new();
    let teacher = folder.tiny(&["train"]);
    let reflow = ["reflow", "--run", text(&teacher), "--output-dir", "new"];
    for args in [&reflow[..], &[&reflow[..], &["--train", "task=generation"]].concat()] {
        let told = folder.fails(args);
        let why =
            "error: only the paths of a run that generates can be straightened; this one predicts";
        assert!(told.starts_with(why), "{told}");
    }
    assert!(!folder.join("new").exists());

    // A flag that has no effect is reported.
    let teacher = folder.tiny(&["train-gen"]);
    let reflow = ["reflow", "--run", text(&teacher), "--output-dir", "new", "--steps", "9"];
    let more = ["--pairs", "10", "--train", "training.epochs=0"];
    let told = log(&folder, &[&reflow[..], &more].concat());
    assert!(told.contains("`sampling.steps` has no effect: the solver `dopri5` chooses"), "{told}");
}

#[test]
fn the_path_of_a_diffusion_model_is_straightened_by_flow_matching() {
    let folder = Folder::new();
    let run =
        folder.tiny(&["train-gen", "--model-type", "diffusion", "--noise-schedule", "cosine"]);
    let out = text(folder.path());
    let args = ["reflow", "--run", text(&run), "--pairs", "60", "--output-dir", out];
    folder.succeeds(&[&args[..], &["--train", "training.epochs=1"]].concat());
    let new = runs(folder.path(), "flow_matching_gen").remove(0);
    let config = String::from_utf8(bytes(&new.join("config.yaml"))).unwrap();
    assert!(
        config.contains("path:\n  type: rectified") && config.contains("type: given"),
        "{config}"
    );
    assert!(new.join("quality_by_evaluations.png").is_file());
}

#[test]
fn a_curve_has_the_steps_that_its_evaluations_allow() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    let png = folder.join("curve.png");
    let args =
        ["curve", "--run", text(&run), "--run", text(&run), "--draws", "1", "--points", "20"];
    let ask = ["--solver", "euler,midpoint,rk4,dopri5", "--nfe", "1,3,4,9", "--out", text(&png)];
    folder.succeeds(&[&args[..], &ask].concat());
    assert!(bytes(&png).starts_with(b"\x89PNG"));
    let found = json(&folder.join("curve.json"));
    assert_eq!(found.as_array().unwrap().len(), 2);
    let nfe = |solver| curve(&found[0], solver).iter().map(|p| p.0).collect::<Vec<_>>();
    assert_eq!(nfe("euler"), [1, 3, 4, 9]);
    assert_eq!(nfe("midpoint"), [2, 4, 8]);
    assert_eq!(nfe("rk4"), [4, 8]);
    assert_eq!(nfe("dopri5").len(), 1);
    assert_eq!(curve(&found[0], "euler"), curve(&found[1], "euler"), "one model, one curve");

    let error = folder.fails(&[
        "curve",
        "--run",
        text(&run),
        "--solver",
        "rk4",
        "--nfe",
        "3",
        "--out",
        text(&png),
    ]);
    assert!(error.contains("no solver can sample with [3] network evaluations"), "{error}");
    let error =
        folder.fails(&["curve", "--run", text(&run), "--solver", "eulr", "--out", text(&png)]);
    assert!(error.contains("did you mean `euler`"), "{error}");
    let karras = ["--solver", "euler", "--nfe", "3", "--grid", "karras", "--draws", "1"];
    let other = folder.join("other.png");
    folder
        .succeeds(&[&["curve", "--run", text(&run), "--out", text(&other)], &karras[..]].concat());
    let other = curve(&json(&folder.join("other.json"))[0], "euler")[0].1;
    assert!((other - curve(&found[0], "euler")[1].1).abs() > 1e-6, "another grid, another end");

    // Predictions start from zero, so that there is a single draw.
    let classifier = folder.tiny(&["train"]);
    let labels = folder.join("labels.png");
    let ask = ["--solver", "euler", "--nfe", "4", "--out", text(&labels)];
    folder.succeeds(&[&["curve", "--run", text(&classifier)], &ask[..]].concat());
    let entry = &json(&folder.join("labels.json"))[0];
    let wrong = entry["points"][0]["value"].as_f64().unwrap();
    let args = ["evaluate", "--run", text(&classifier), "--solver", "euler", "--steps", "4"];
    let right: Value = serde_json::from_str(&folder.succeeds(&args)).unwrap();
    assert_eq!(entry["metric"], "error_rate");
    assert!((wrong + right["accuracy"].as_f64().unwrap() - 1.0).abs() < 1e-12, "{entry} {right}");

    let error = folder.fails(&["curve", "--run", text(&run), "--out", "curve.svg"]);
    assert!(error.contains("must end in .png"), "{error}");
}

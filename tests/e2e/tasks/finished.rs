//! Commands on a finished run.

use super::{CONDITIONAL, array, check, has_all, json};
use crate::command::{Folder, TINY, bytes, text};
use serde_json::Value;
use triflow::measure::Goal;

#[test]
fn the_commands_work_on_a_finished_run() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen", "--model-type", "diffusion"]);
    let path = text(&run);
    // The command generate with a label, a seed, and another solver.
    let generate = |out: &str, more: &[&str]| {
        folder.succeeds(&[&["generate", "--run", path, "--out", out, "--n", "3"], more].concat());
        bytes(&folder.join(out))
    };
    let first = generate("a.npz", &["--labels", "1,0", "--seed", "5"]);
    assert_eq!(first, generate("b.npz", &["--labels", "1,0", "--seed", "5"]));
    assert_ne!(first, generate("c.npz", &["--labels", "1,0", "--seed", "6"]));
    assert_ne!(first, generate("d.npz", &["--labels", "1,0", "--seed", "5", "--solver", "rk4"]));
    assert_eq!(array(&folder.join("a.npz"), "samples").shape, [6, 2]);
    assert_eq!(
        array(&folder.join("a.npz"), "labels").data.to_f64(),
        [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    );
    assert_eq!(
        folder.fails(&["generate", "--run", path, "--labels", "2", "--out", "e.npz"]),
        "error: there is no class `2`\n  in --labels\n  help: known classes: `0`, `1`"
    );
    assert_eq!(
        folder.fails(&["generate", "--run", path, "--out", "e.npz", "--n", "-1"]),
        "error: --n -1: needs at least 1"
    );
    let done = folder.run(&["generate", "--run", path, "--out", "e.npz", "--n", "4000000000000"]);
    let why =
        "error: a file of 8000000000000 samples needs 32000000000000 bytes of disk or more, and ";
    assert!(done.code == 1 && done.err.starts_with(why), "{}", done.err);
    // The command evaluate gives the run's own metrics unless something is changed.
    let metrics = json(&run.join("metrics.json"));
    let evaluate = |more: &[&str]| -> Value {
        let output = folder.succeeds(&[&["evaluate", "--run", path], more].concat());
        serde_json::from_str(&output).unwrap()
    };
    assert_eq!(evaluate(&[]), metrics);
    has_all(&metrics, Goal::Generation);
    has_all(&metrics["floor"], Goal::Generation);
    let other = evaluate(&["--solver", "euler", "--steps", "7"]);
    assert_eq!(other["sampling"]["solver"], "euler");
    assert_eq!(other["sampling"]["steps"], 7);
    assert_ne!(other["w2"], metrics["w2"]);
    assert_ne!(evaluate(&["--seed", "8"])["w2"], metrics["w2"]);
    // The command plot draws the same pictures.
    let picture = run.join("trajectories.png");
    let losses = bytes(&run.join("loss_trends.png"));
    let drawn = bytes(&picture);
    std::fs::remove_file(&picture).unwrap();
    folder.succeeds(&["plot", "--run", path]);
    assert!(drawn == bytes(&picture), "the picture differs");
    assert!(losses == bytes(&run.join("loss_trends.png")), "the losses differ");
    check(&run, CONDITIONAL);
}

#[test]
fn a_finished_run_needs_its_training_data_no_more() {
    let folder = Folder::new();
    folder.succeeds(&["data", "two_moons", "--set", "samples=160", "--out", "moons.csv"]);
    folder.succeeds(&["data", "two_moons", "--seed", "9", "--out", "new.csv"]);
    let rows = ["--data-path", "moons.csv"];
    let tiny = |command: &str| folder.train(&[&[command], &rows[..], &TINY[..10]].concat());
    let (kinds, points) = (tiny("train"), tiny("train-gen"));
    let ask = |name: &str| {
        let (p, s) = (format!("{name}_p.npz"), format!("{name}_s.npz"));
        folder.succeeds(&["predict", "--run", text(&kinds), "--data", "new.csv", "--out", &p]);
        folder.succeeds(&["generate", "--run", text(&points), "--out", &s]);
        let evaluate = |run| {
            let output = folder.succeeds(&["evaluate", "--run", text(run), "--data", "new.csv"]);
            serde_json::from_str::<Value>(&output).unwrap()
        };
        let files = (bytes(&folder.join(p)), bytes(&folder.join(s)));
        (files, evaluate(&kinds), evaluate(&points))
    };
    let before = ask("before");
    let (_, accuracy, distance) = &before;
    assert_eq!((&accuracy["set"], &accuracy["sampling"]["n"]), (&"new.csv".into(), &20_000.into()));
    assert!(accuracy["accuracy"].is_number() && distance["w2"].is_number(), "{distance:#}");
    std::fs::remove_file(folder.join("moons.csv")).unwrap();
    assert!(before == ask("after"), "the data are still needed");
    // Commands that need the rows say so.
    let error = folder.fails(&["evaluate", "--run", text(&kinds)]);
    assert!(error.contains("moons.csv"), "{error}");
    // Rows with other classes than the model's are refused.
    folder.write("other.csv", "x0,x1,label\n1,2,0\n3,4,2\n");
    let error = folder.fails(&["evaluate", "--run", text(&kinds), "--data", "other.csv"]);
    assert_eq!(
        error,
        "error: other.csv: the file has the class `2` (line 3 of other.csv), which no training row has\n  at data\n  help: known classes: `0`, `1`"
    );
}

#[test]
fn weights_of_another_model_are_refused() {
    let folder = Folder::new();
    let tiny = |objective: &str| folder.tiny(&["train-gen", "--model-type", objective]);
    let (own, other) = (tiny("flow_matching"), tiny("diffusion"));
    std::fs::copy(other.join("params.safetensors"), own.join("params.safetensors")).unwrap();
    let error = folder.fails(&["generate", "--run", text(&own), "--out", "s.npz"]);
    let expected = "holds another model than the experiment's: `objective` differs";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn metrics_are_means_over_draws_beside_their_deviations() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    let evaluate = |draws: &str, more: &[&str]| -> Value {
        let args = ["evaluate", "--run", text(&run), "--draws", draws];
        serde_json::from_str(&folder.succeeds(&[&args[..], more].concat())).unwrap()
    };
    let one = evaluate("1", &[]);
    assert!(one["w2_deviation"].is_null(), "{one:#}");
    let number = |value: &Value| value.as_f64().unwrap();
    let many = evaluate("20", &[]);
    let far = (number(&many["w2"]) - number(&one["w2"])).abs() / number(&many["w2_deviation"]);
    assert!(far > 0.0 && far < 5.0, "{many:#}");
    // Sobol' points have the same distribution with less variance.
    let even = evaluate("20", &["--noise", "sobol"]);
    assert_eq!(even["sampling"]["noise"], "sobol");
    assert!(number(&even["w2"]) < number(&many["w2"]), "{even:#}");
    // The floor has as many draws as the training rows suffice for.
    assert!(many["floor"]["w2_deviation"].is_number(), "{many:#}");
}

#[test]
fn the_best_parameters_are_kept_where_asked_for() {
    let folder = Folder::new();
    // A learning rate that makes the second epoch worse.
    let spoil = ["--learning-rate", "3", "--set", "checkpoint.keep_best=total"];
    let run = folder.tiny(&[&["train-gen"], &spoil[..]].concat());
    let losses = json(&run.join("history.json"));
    let total = |epoch: usize| losses["val"]["total"][epoch].as_f64().unwrap();
    let (last, best) =
        (bytes(&run.join("params.safetensors")), bytes(&run.join("checkpoints/best.safetensors")));
    assert_eq!(last == best, total(1) < total(0), "{losses:#}");
    folder.succeeds(&["generate", "--run", text(&run), "--best", "--out", "best.npz"]);
    folder.succeeds(&["generate", "--run", text(&run), "--out", "last.npz"]);
    let drawn = |name: &str| bytes(&folder.join(name));
    assert_eq!(drawn("best.npz") == drawn("last.npz"), last == best);
    let other = folder.tiny(&["train-gen"]);
    let error = folder.fails(&["generate", "--run", text(&other), "--best", "--out", "x.npz"]);
    assert!(error.contains("has no checkpoints/best.safetensors"), "{error}");
}

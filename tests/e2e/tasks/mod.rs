//! Every task with every objective, from training to pictures, and the commands on its run.

mod finished;

use crate::command::{Folder, TINY, bytes, text};
use serde_json::Value;
use std::path::Path;
use triflow::component::Need;
use triflow::io::{NamedArray, npz, safetensors};
use triflow::measure::{Catalogue, Goal};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&bytes(path)).unwrap()
}

fn array(path: &Path, name: &str) -> NamedArray {
    npz::read_array(path, name).unwrap()
}

fn all_finite(array: &NamedArray) -> bool {
    array.data.to_f64().iter().all(|v| v.is_finite())
}

/// Asserts that a run has the files of every run, and those of its task.
fn check(run: &Path, special: &[&str]) {
    let mut files: Vec<String> = std::fs::read_dir(run)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("events.out.tfevents."))
        .collect();
    files.sort();
    let mut expected = [
        "config.yaml",
        "data.json",
        "data_visualization.png",
        "history.csv",
        "history.json",
        "latent_trajectories.png",
        "loss_trends.png",
        "manifest.json",
        "metrics.json",
        "params.safetensors",
        "trajectories.png",
        "trajectory_diagnostics.png",
    ]
    .to_vec();
    expected.extend(special);
    expected.sort_unstable();
    files.retain(|name| name != "checkpoints");
    assert_eq!(files, expected, "{}", run.display());
    for name in &files {
        let content = bytes(&run.join(name));
        assert!(!content.is_empty(), "{name} is empty");
        if name.ends_with(".png") {
            assert!(content.starts_with(b"\x89PNG\r\n\x1a\n") && content.len() > 2000, "{name}");
        }
    }
    let metrics = json(&run.join("metrics.json"));
    let sampling = &metrics["sampling"];
    for key in ["solver", "nfe", "steps", "ema", "seed", "n", "precision", "grid"] {
        assert!(!sampling[key].is_null(), "metrics.json does not name {key}: {metrics:#}");
    }
    let history = String::from_utf8(bytes(&run.join("history.csv"))).unwrap();
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines[0].starts_with("epoch,step,train_total,train_flow,"), "{}", lines[0]);
    assert_eq!(lines.len(), 3, "{history}");
    assert_eq!(json(&run.join("history.json"))["epoch"], serde_json::json!([1, 2]));
    let parameters = safetensors::read_safetensors(&run.join("params.safetensors")).unwrap().arrays;
    assert!(parameters.iter().all(all_finite));
    assert!(parameters.iter().any(|p| p.name.starts_with("ema.crn.")));
    assert!(!json(&run.join("manifest.json"))["parameters"].is_null());
}

/// Asserts that every metric of the task has a value, but for those of some models, tables or flags
/// only.
#[track_caller]
fn has_all(metrics: &Value, goal: Goal) {
    let elsewhere = ["class_shares", "nll", "nll_bound"];
    triflow_plugins::link();
    let catalogue = Catalogue::of(&triflow::Experiment::from_yaml("{}").unwrap()).unwrap();
    let all = catalogue.of_goal(goal).filter(|metric| !metric.info().needs_any(&[Need::Table]));
    let all = all.map(|metric| metric.name());
    for metric in all.filter(|metric| !elsewhere.contains(metric)) {
        assert!(metrics[metric].is_number(), "no {metric}: {metrics:#}");
    }
}

const REGRESSION: &[&str] = &["predictions.npz", "predictions.png"];
/// Further files of a prediction whose data have named columns.
const NAMED: &[&str] = &["predictions.csv", "predictions.npz", "predictions.png"];
const CONDITIONAL: &[&str] = &["samples.npz", "conditional_generation.png"];
const UNCONDITIONAL: &[&str] = &["samples.npz", "unconditional_generation.png"];

fn every_task(objective: &str) {
    let folder = Folder::new();
    let model = ["--model-type", objective];
    for (task, args, special) in [
        ("reg", &["train"][..], REGRESSION),
        ("gen", &["train-gen"], CONDITIONAL),
        ("uncond_gen", &["train-gen", "--unconditional"], UNCONDITIONAL),
    ] {
        let run = folder.tiny(&[args, &model].concat());
        let parent = format!("artifacts/{objective}_{task}");
        assert_eq!(run.parent().unwrap(), folder.join(parent));
        check(&run, special);
        let metrics = json(&run.join("metrics.json"));
        assert_eq!(metrics["sampling"]["solver"], "midpoint");
        assert_eq!(metrics["sampling"]["seed"], 42);
        assert_eq!(metrics["sampling"]["ema"], true);
        // Two evaluations a step, and one more for final denoising.
        let denoised = u64::from(metrics["sampling"]["final_denoise"] == true);
        assert_eq!(metrics["sampling"]["nfe"], 8 + denoised);
        let metric = if task == "reg" { "accuracy" } else { "w2" };
        assert!(metrics[metric].as_f64().unwrap().is_finite(), "{metrics:#}");
    }
}

#[test]
fn flow_matching_does_every_task() {
    every_task("flow_matching");
}

#[test]
fn diffusion_does_every_task() {
    every_task("diffusion");
}

#[test]
fn continuous_time_does_every_task() {
    every_task("ct");
}

#[test]
fn a_latent_model_trains_and_generates() {
    let folder = Folder::new();
    let encoder = ["--encoder-model-type", "mlp_normal", "--latent-shape", "3"];
    let args = [&["train-gen"], &encoder[..], &["--decoder-model-type", "mlp"]].concat();
    let run = folder.tiny(&args);
    check(&run, CONDITIONAL);
    let history = json(&run.join("history.json"));
    assert!(history["train"]["vae"][1].as_f64().unwrap() > 0.0, "{history:#}");
    folder.succeeds(&["generate", "--run", text(&run), "--n", "5", "--out", "s.npz"]);
    let samples = array(&folder.join("s.npz"), "samples");
    assert_eq!(samples.shape, [10, 2]);
    assert!(all_finite(&samples));
}

#[test]
fn a_learnable_schedule_trains_and_generates() {
    let folder = Folder::new();
    let schedule = ["--noise-schedule", "monotonic_nn", "--noise-schedule-learnable"];
    let run = folder.tiny(&[&["train-gen", "--model-type", "diffusion"], &schedule[..]].concat());
    check(&run, CONDITIONAL);
    let parameters = safetensors::read_safetensors(&run.join("params.safetensors")).unwrap().arrays;
    assert!(parameters.iter().any(|p| p.name.starts_with("noise_schedule.")));
    let history = json(&run.join("history.json"));
    assert!(history["train"]["kl"][1].as_f64().unwrap().is_finite(), "{history:#}");
    folder.succeeds(&["generate", "--run", text(&run), "--labels", "1", "--out", "s.npz"]);
    assert!(all_finite(&array(&folder.join("s.npz"), "samples")));
}

#[test]
fn a_softmax_head_predicts_probabilities() {
    let folder = Folder::new();
    let encoder = ["--encoder-model-type", "linear", "--vae-weight", "1"];
    let decoder = ["--decoder-model-type", "mlp", "--decoder-type", "softmax"];
    let run = folder.tiny(&[&["train"], &encoder[..], &decoder].concat());
    check(&run, REGRESSION);
    folder.write("new.csv", "x0,x1\n0.5,1\n-1,0\n2,-0.5\n");
    folder.succeeds(&["predict", "--run", text(&run), "--data", "new.csv", "--out", "p.npz"]);
    let predicted = array(&folder.join("p.npz"), "predictions");
    assert_eq!(predicted.shape, [3, 2]);
    for row in predicted.data.to_f64().chunks(2) {
        assert!((row[0] + row[1] - 1.0).abs() < 1e-6 && row.iter().all(|p| *p > 0.0), "{row:?}");
    }
}

#[test]
fn rows_of_a_table_classify_and_regress() {
    let folder = Folder::new();
    let rows = |make: &dyn Fn(i32) -> String| (0..60).map(make).collect::<String>();
    folder.write(
        "kinds.csv",
        &format!("x0,x1,label\n{}", rows(&|i| format!("{},{},{}\n", i % 7, i % 5, i % 3))),
    );
    folder.write("wide.csv", "x0,x1,x2\n1,2,3\n");
    folder.write("line.csv", &format!("x,y\n{}", rows(&|i| format!("{},{}\n", i, 2 * i + 1))));
    let tiny = &TINY[..10];
    let kinds = folder.train(&[&["train", "--data-path", "kinds.csv"], tiny].concat());
    check(&kinds, NAMED);
    let metrics = json(&kinds.join("metrics.json"));
    assert!((0.0..=1.0).contains(&metrics["accuracy"].as_f64().unwrap()));
    has_all(&metrics, Goal::Classification);
    let line = folder.train(&[&["train", "--data-path", "line.csv"], tiny].concat());
    check(&line, NAMED);
    let metrics = json(&line.join("metrics.json"));
    assert!(metrics["accuracy"].is_null() && metrics["mse"].as_f64().unwrap() > 0.0, "{metrics:#}");
    has_all(&metrics, Goal::Regression);
    folder.succeeds(&["predict", "--run", text(&line), "--data", "line.csv", "--out", "p.npz"]);
    assert_eq!(array(&folder.join("p.npz"), "predictions").shape, [60, 1]);
    assert_eq!(
        folder.fails(&["predict", "--run", text(&line), "--data", "wide.csv", "--out", "q.npz"]),
        "error: wide.csv: there is no column `x`; known columns: x0, x1, x2"
    );
}

#[test]
fn every_solver_and_optimizer_works_by_its_flag() {
    let folder = Folder::new();
    let solvers = ["euler", "heun", "rk4", "dopri5", "adaptive"];
    let optimizers = ["adam", "adamw", "sgd", "adagrad"];
    for (i, solver) in solvers.iter().enumerate() {
        let optimizer = optimizers[i % optimizers.len()];
        let solver_of = format!("sampling.solver={solver}");
        let args = ["train-gen", "--optimizer", optimizer, "--set", &solver_of];
        let run = folder.tiny(&args);
        let metrics = json(&run.join("metrics.json"));
        let nfe = metrics["sampling"]["nfe"].as_u64().unwrap();
        match *solver {
            "euler" => assert_eq!(nfe, 4),
            "heun" => assert_eq!(nfe, 8),
            "rk4" => assert_eq!(nfe, 16),
            _ => {
                assert_eq!(metrics["sampling"]["solver"], "dopri5");
                assert!(nfe >= 7, "{nfe}");
            }
        }
        let config = String::from_utf8(bytes(&run.join("config.yaml"))).unwrap();
        assert!(config.contains(&format!("type: {optimizer}\n")), "{config}");
    }
}

#[test]
fn double_precision_is_kept_from_training_to_the_parameters() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen", "--set", "training.precision=float64"]);
    check(&run, CONDITIONAL);
    assert_eq!(json(&run.join("metrics.json"))["sampling"]["precision"], "float64");
    let parameters = safetensors::read_safetensors(&run.join("params.safetensors")).unwrap().arrays;
    assert!(parameters.iter().all(|p| matches!(p.data, triflow::io::ArrayData::F64(_))));
    folder.succeeds(&["generate", "--run", text(&run), "--n", "2", "--out", "s.npz"]);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_utf8_trains_like_any_other() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    let mut command = folder.command(&[&["-q", "train-gen"], &TINY[..]].concat());
    command.arg("--output-dir").arg(std::ffi::OsStr::from_bytes(b"out-\xff"));
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_registry_is_shown() {
    let folder = Folder::new();
    let table = folder.succeeds(&["list", "noise_schedule"]);
    for name in ["cosine", "monotonic_nn", "learnable", "laplace_logsnr", "built-in"] {
        assert!(table.contains(name), "{table}");
    }
    let all: Value = serde_json::from_str(&folder.succeeds(&["list", "--format", "json"])).unwrap();
    let has = |kind: &str, name: &str| {
        let all = all.as_array().unwrap();
        all.iter().any(|c| c["kind"] == kind && c["name"] == name && c["summary"] != "")
    };
    assert!(has("solver", "dopri5") && has("objective", "ct") && has("data_source", "csv"));
    let described = folder.succeeds(&["describe", "noise_schedule", "cosine"]);
    for part in ["cosine", "alpha_bar_min", "Reference: ", "Example:"] {
        assert!(described.contains(part), "{described}");
    }
    let eval =
        ["describe", "noise_schedule", "cosine", "--eval", "--points", "5", "--set", "s=0.02"];
    let values = folder.succeeds(&eval);
    let lines: Vec<&str> = values.lines().collect();
    assert_eq!(lines[0], "t,alpha_bar,gamma,gamma_prime,snr_prime");
    let rows: Vec<Vec<f64>> =
        lines[1..].iter().map(|l| l.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    assert_eq!(rows.iter().map(|r| r[0]).collect::<Vec<_>>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    for row in &rows {
        let (alpha_bar, gamma) = (row[1], row[2]);
        assert!((alpha_bar - 1.0 / (1.0 + (-gamma).exp())).abs() < 1e-14, "{row:?}");
        assert!((row[4] - gamma.exp() * row[3]).abs() <= 1e-9 * row[4].abs(), "{row:?}");
    }
    assert!(folder.succeeds(&["completions", "bash"]).contains("_triflow()"));
}

const SEQUENCES: [&str; 14] = [
    "--num-epochs",
    "2",
    "--batch-size",
    "16",
    "--device",
    "cpu",
    "--set",
    "sampling.steps=2",
    "--set",
    "data={ type: damped_oscillators, samples: 60, steps: 8, shortest: 3 }",
    "--set",
    "crn.network={ type: temporal_conv, width: 8, blocks: 2, condition: before }",
    "--set",
    "training.seed=3",
];

#[test]
fn sequences_are_predicted_and_generated() {
    let folder = Folder::new();
    let run = folder.train(&[&["train-seq"], &SEQUENCES[..]].concat());
    assert!(run.parent().unwrap().ends_with("flow_matching_seq"), "{}", run.display());
    check(&run, &["predictions.npz", "predictions.png"]);
    let metrics = json(&run.join("metrics.json"));
    has_all(&metrics, Goal::Sequences);
    assert_eq!(metrics["variance_explained_percent_per_feature"].as_array().unwrap().len(), 1);
    let lengths = array(&run.join("predictions.npz"), "lengths").data.to_i64().unwrap();
    assert!(lengths.iter().all(|n| (3..=8).contains(n)) && lengths.iter().any(|n| *n < 8));

    // Evaluation on a file of other series, with their lengths.
    folder.succeeds(&[
        "data",
        "damped_oscillators",
        "--set",
        "samples=5",
        "--set",
        "steps=8",
        "--set",
        "shortest=3",
        "--out",
        "new.npz",
    ]);
    let run_text = text(&run);
    folder.succeeds(&[
        "predict",
        "--run",
        run_text,
        "--data",
        "new.npz",
        "--samples",
        "3",
        "--out",
        "predicted.npz",
    ]);
    let predicted = array(&folder.join("predicted.npz"), "predictions");
    assert_eq!(predicted.shape, [5, 8, 1]);
    let lengths = array(&folder.join("predicted.npz"), "lengths").data.to_i64().unwrap();
    assert_eq!(
        lengths,
        array(&folder.join("new.npz"), "y_lengths").data.to_i64().unwrap(),
        "as long as asked"
    );
    for (row, length) in predicted.data.to_f64().chunks(8).zip(lengths) {
        let (there, behind) = row.split_at(length as usize);
        assert!(there.iter().all(|v| *v != 0.0) && behind.iter().all(|v| *v == 0.0), "{row:?}");
    }
    let again = folder.succeeds(&["evaluate", "--run", run_text, "--data", "new.npz"]);
    assert!(again.contains("coverage_90"), "{again}");

    for (flag, picture) in [
        (None, "conditional_generation.png"),
        (Some("--unconditional"), "unconditional_generation.png"),
    ] {
        let args: Vec<&str> = flag.into_iter().collect();
        let run = folder.train(&[&["train-seq", "--generate"], &SEQUENCES[..], &args].concat());
        assert!(run.parent().unwrap().ends_with("flow_matching_seq_gen"), "{}", run.display());
        check(&run, &["samples.npz", picture]);
        let config = String::from_utf8(bytes(&run.join("config.yaml"))).unwrap();
        assert!(config.starts_with("task:\n  type: sequence\n  mode: generate\n"), "{config}");
        let samples = match flag {
            Some(_) => vec!["generate", "--run", text(&run), "--n", "4", "--out", "drawn.npz"],
            None => vec![
                "generate",
                "--run",
                text(&run),
                "--condition",
                "new.npz",
                "--out",
                "drawn.npz",
            ],
        };
        folder.succeeds(&samples);
        assert_eq!(array(&folder.join("drawn.npz"), "samples").shape[1..], [8, 1]);
    }
}

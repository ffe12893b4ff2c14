//! Comparisons that are stopped, that fail in part, or whose files and data change.

use super::{base, cell, results, written};
use crate::command::{bytes, text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The comparison is killed: finished runs are kept, the others are made, and the results are those
/// of a comparison that was never stopped.
#[cfg(unix)]
#[test]
fn a_killed_comparison_goes_on_with_what_is_missing() {
    let folder = base();
    let grid = |out: &'static str| {
        ["compare", "--config", "base.yaml", "--no-curve", "--jobs", "1", "--out", out]
    };
    let finished = |out: &str| -> Vec<_> {
        let runs = folder.join(out).join("runs");
        if !runs.exists() {
            return Vec::new();
        }
        let done = |path: &Path| {
            let run = path.ancestors().find(|p| p.join("trained.json").exists());
            run.is_some() && path.extension().is_some_and(|e| e == "safetensors")
        };
        written(&runs).into_iter().filter(|(path, _)| done(path)).collect()
    };
    let mut child = folder
        .command(&grid("killed"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while finished("killed").is_empty() {
        assert!(
            Instant::now() < deadline && child.try_wait().unwrap().is_none(),
            "nothing to kill"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    // The method `kill` sends SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.join("killed/results.json").exists());
    let before = finished("killed");
    folder.succeeds(&grid("killed"));
    let after = finished("killed");
    for file in &before {
        assert!(after.contains(file), "{} was written again", file.0.display());
    }
    assert!(after.len() > before.len());
    folder.succeeds(&grid("whole"));
    let values = |out: &str| -> Vec<Value> {
        let found = results(&folder.join(out));
        let cells = found["cells"].as_array().unwrap();
        cells.iter().map(|c| serde_json::json!([c["name"], c["metrics"]])).collect()
    };
    assert_eq!(values("killed"), values("whole"));
}

/// The comparison has names that look like flags or markup, an invalid cell, and damaged files:
/// nothing is missing from the table, and what is made again is the same.
#[test]
fn nothing_of_a_comparison_goes_missing_without_a_word() {
    let folder = base();
    folder.write(
        "odd.yaml",
        "extends: base.yaml
comparison:
  over:
    recipe:
      '<x> -rf': { training.ema: 0.9 }
      '-1': { data.shift: -1 }
      impossible: { sampling.guidance: 2 }
  seeds: 1
  curve: null
",
    );
    let done = folder.run(&["compare", "--config", "odd.yaml", "--out", "out"]);
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.contains("impossible is impossible: a model that was never"), "{}", done.err);
    assert!(done.err.contains("1 of 3 cells are impossible"), "{}", done.err);
    // A share of a job array does not fail for it, even one that is left with nothing to do.
    for shard in ["1/3", "2/3", "3/3"] {
        let args = ["compare", "--config", "odd.yaml", "--out", "shares", "--shard", shard];
        let done = folder.command(&args).output().unwrap();
        let log = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(0), "{shard}: {log}");
        assert!(log.contains("impossible is impossible: a model that was never"), "{log}");
    }
    let first = results(&folder.join("out"));
    let value = |of: &Value, name: &str| cell(of, name)["metrics"][0]["spread"]["values"].clone();
    let errors = |of: &Value, name: &str| cell(of, name)["errors"].to_string();
    assert!(errors(&first, "impossible").contains("never trained without its condition"));
    let report = String::from_utf8(bytes(&folder.join("out/report.html"))).unwrap();
    assert!(report.contains("&lt;x&gt; -rf") && !report.contains("<x>"));

    let file = |name: &str| {
        let all = written(&folder.join("out/runs")).into_iter().map(|(path, _)| path);
        all.filter(|path| text(path).contains(name)).collect::<Vec<_>>()
    };
    for path in file("/sampled_").into_iter().take(1) {
        let mut damaged = bytes(&path);
        *damaged.iter_mut().rfind(|b| b.is_ascii_digit()).unwrap() ^= 1;
        std::fs::write(&path, damaged).unwrap();
    }
    std::fs::write(&file("/measured_")[1], "{}").unwrap();
    // The run had failed before it was finished elsewhere.
    std::fs::write(file("/manifest.json")[1].with_file_name("error.txt"), b"\xff boom").unwrap();
    folder.succeeds(&["compare", "--collect", "out"]);
    let found = results(&folder.join("out"));
    let all = errors(&found, "-1") + &errors(&found, "<x> -rf");
    assert!(all.contains("is damaged: its SHA-256"), "{all}");
    assert!(all.contains("is not what a comparison writes: missing field `losses`"), "{all}");
    assert!(all.contains("boom"), "{all}");

    let mut again = folder.command(&["compare", "--resume", "out"]);
    let again = again.output().unwrap();
    let log = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1), "{log}");
    assert_eq!(log.matches("measuring it again").count(), 2, "{log}");
    let again = results(&folder.join("out"));
    for name in ["<x> -rf", "-1"] {
        assert_eq!(value(&again, name), value(&first, name));
        assert_eq!(errors(&again, name), "[]");
    }
    assert!(file("error.txt").is_empty());

    let plan = folder.join("out/plan.json");
    std::fs::write(&plan, String::from_utf8(bytes(&plan)).unwrap().replace("42", "43")).unwrap();
    let error = folder.fails(&["compare", "--collect", "out"]);
    assert!(error.contains("plan.json: is damaged: its SHA-256"), "{error}");
}

/// Child processes end with their parent, whichever of them gets the signal, and finished training
/// is kept.
#[cfg(unix)]
#[test]
fn an_interrupted_comparison_ends_with_130_and_says_how_to_go_on() {
    let folder = base();
    let mut command = folder.command(&[
        "compare",
        "--config",
        "base.yaml",
        "--over",
        "objective=flow_matching,ct",
        "--num-epochs",
        "1000000",
        "--no-curve",
        "--jobs",
        "2",
        "--out",
        "an out",
    ]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = || {
        let runs = folder.join("an out/runs");
        let all = if runs.exists() { written(&runs) } else { Vec::new() };
        all.iter().filter(|(path, _)| text(path).contains("/events.")).count()
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    while begun() < 2 {
        assert!(Instant::now() < deadline, "nothing to interrupt");
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let done = child.wait_with_output().unwrap();
    let error = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(130), "{error}");
    assert!(
        error.ends_with("interrupted; continue with `triflow compare --resume 'an out'`\n"),
        "{error}"
    );
    let mut kept: Vec<PathBuf> = written(&folder.join("an out/runs"))
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|e| e == "safetensors"))
        .map(|(path, _)| path.parent().unwrap().to_owned())
        .collect();
    kept.dedup();
    assert_eq!(kept.len(), 2, "each run leaves a checkpoint");
    let error = folder.run(&["compare", "--collect", "an out"]);
    assert_eq!(error.code, 1);
    assert!(error.err.contains("holds no finished run"), "{}", error.err);
}

#[test]
fn further_seeds_of_a_comparison_need_the_data_of_the_first() {
    let folder = base();
    let rows = |scale: f64| -> String {
        let row = |i: usize| format!("{},{}\n", scale * (i as f64).sin(), i % 3);
        "x0,x1\n".to_owned() + &(0..100).map(row).collect::<String>()
    };
    folder.write("d.csv", &rows(1.0));
    let yaml = "task: generation\nunconditional: true\ndata: { type: csv, path: d.csv }\n\
                crn: { network: { hidden_dims: [8] } }\ntraining: { epochs: 1 }\nsampling: { steps: 2 }\n";
    folder.write("own.yaml", yaml);
    let compare = |seeds: &'static str| {
        [
            "compare",
            "--config",
            "own.yaml",
            "--over",
            "objective=flow_matching",
            "--out",
            "c",
            "--seeds",
            seeds,
        ]
    };
    folder.succeeds(&compare("1"));
    folder.write("d.csv", &rows(10.0));
    // Every job is complete.
    folder.succeeds(&compare("1"));
    let error = folder.fails(&compare("2"));
    assert!(
        error.contains("their values have changed since") && error.contains("--out DIR"),
        "{error}"
    );
    folder.write("d.csv", &rows(1.0));
    folder.succeeds(&compare("2"));
}

//! Comparisons: the grid, paired seeds, shared models, resuming, and cells that fail alone.

mod check;
mod clusters;
mod stopped;
mod together;

use crate::command::{Folder, bytes, text};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An experiment of which a cell takes a second.
const BASE: &str = "
data: { type: two_moons, samples: 600, val_samples: 50, test_samples: 200 }
crn: { network: { hidden_dims: [16] } }
training: { epochs: 2, batch_size: 200 }
comparison: { seeds: 2, draws: 1, points: 200, curve: { solvers: [euler], nfe: [2, 4], points: 100 } }
";

fn base() -> Folder {
    let folder = Folder::new();
    folder.write("base.yaml", BASE);
    folder
}

fn results(folder: &Path) -> Value {
    serde_json::from_slice(&bytes(&folder.join("results.json"))).unwrap()
}

fn cell<'r>(results: &'r Value, name: &str) -> &'r Value {
    let cells = results["cells"].as_array().unwrap();
    cells.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no {name} in {results}"))
}

/// Files below a folder, with the times of their last change.
fn written(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap()) {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                // A temporary file of a running process may be gone already.
                false => found.extend(entry.metadata().ok().map(|m| (path, m.modified().unwrap()))),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_grid_is_trained_once_a_model_and_paired_by_seed() {
    let folder = base();
    let out = folder.join("out");
    let grid = [
        "compare",
        "--config",
        "base.yaml",
        "--over",
        "objective=flow_matching,ct",
        "--over",
        "noise_schedule=linear,cosine",
        "--over",
        "sampling.solver.type=euler,midpoint",
        "--out",
        "out",
    ];
    folder.succeeds(&grid);
    let found = results(&out);
    // Flow matching uses no schedule: there are 2 x 2 + 2 cells, from three models with two seeds.
    assert_eq!(found["cells"].as_array().unwrap().len(), 6);
    let runs: Vec<_> = written(&out.join("runs"))
        .into_iter()
        .filter(|(path, _)| path.ends_with("manifest.json"))
        .collect();
    assert_eq!(runs.len(), 6, "{runs:?}");
    assert_eq!(cell(&found, "flow_matching, euler")["settings"][1], Value::Null);
    assert_eq!(found["seeds"], serde_json::json!([42, 43]));
    let note = found["notes"][0].as_str().unwrap();
    assert!(note.starts_with("flow_matching, euler: 2 combinations are the same"), "{note}");
    assert!(note.contains("which does not use `noise_schedule`"), "{note}");

    // Euler needs 20 evaluations for 20 steps, midpoint 40; ct needs one more at the end.
    for (name, nfe) in [("flow_matching, euler", 20.0), ("ct, cosine, midpoint", 41.0)] {
        assert_eq!(cell(&found, name)["cost"]["nfe"]["mean"], nfe, "{name}");
    }
    let w2 = &cell(&found, "flow_matching, midpoint")["metrics"][0];
    assert_eq!(w2["spread"]["values"].as_array().unwrap().len(), 2);
    assert_eq!(found["metrics"][0]["name"], "w2");
    let best =
        found["cells"].as_array().unwrap().iter().filter(|c| c["metrics"][0]["verdict"] == "best");
    assert_eq!(best.count(), 1);
    let curve = &cell(&found, "ct, linear, euler")["curves"][0];
    assert_eq!((&curve["solver"], &curve["adaptive"]), (&"euler".into(), &false.into()));
    assert_eq!(curve["points"].as_array().unwrap().len(), 2);
    assert_eq!(cell(&found, "flow_matching, euler")["schedule"], Value::Null);
    let gamma = cell(&found, "ct, linear, euler")["schedule"]["gamma"].as_array().unwrap();
    let gamma: Vec<f64> = gamma.iter().map(|g| g.as_f64().unwrap()).collect();
    assert!(gamma.windows(2).all(|g| g[0] < g[1]), "{gamma:?}");

    // All cells of a seed have the same rows, and so the same floor.
    let floors = |seed: u64| {
        let of = |path: &Path| -> Value { serde_json::from_slice(&bytes(path)).unwrap() };
        let all = written(&out.join("runs")).into_iter().map(|(path, _)| path);
        let seed = format!("seed_{seed}");
        let own = all.filter(|p| text(p).contains(&seed) && text(p).contains("/sampled_"));
        own.map(|p| of(&p)["metrics"]["floor"]["w2"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    for seed in [42, 43] {
        let floors = floors(seed);
        assert_eq!(floors.len(), 6);
        assert!(floors.iter().all(|f| *f == floors[0]), "{floors:?}");
    }
    assert_ne!(floors(42)[0], floors(43)[0]);

    // A cell equals the run of its own configuration.
    let own = runs[0].0.with_file_name("config.yaml");
    let again = folder.succeeds(&["run", text(&own), "-q", "--output-dir", "again"]);
    let again = folder.path().join(again.trim());
    let history = |run: &Path| bytes(&run.join("history.json"));
    assert!(history(&again) == history(own.parent().unwrap()), "{}", again.display());

    // The command of a cell samples like the cell.
    let euler = cell(&found, "ct, linear, euler")["command"].as_str().unwrap();
    let alone: Vec<_> = euler.split(' ').skip(1).collect();
    let alone = folder.train(&[&alone[..], &["--output-dir", "alone"]].concat());
    let config = std::fs::read_to_string(alone.join("config.yaml")).unwrap();
    assert!(config.contains("type: euler") && config.contains("type: linear"), "{config}");

    // With another seed and another solver, existing files are unchanged.
    let before = written(&out.join("runs"));
    let mut more = grid.to_vec();
    more[8] = "sampling.solver.type=euler,midpoint,heun";
    folder.succeeds(&[&more[..], &["--seeds", "3"]].concat());
    let after = written(&out.join("runs"));
    for file in &before {
        assert!(after.contains(file), "{} was written again", file.0.display());
    }
    let found = results(&out);
    assert_eq!(found["cells"].as_array().unwrap().len(), 9);
    assert_eq!(found["seeds"].as_array().unwrap().len(), 3);
}

#[test]
fn shards_together_are_the_whole_and_a_cell_fails_alone() {
    let folder = base();
    // A learning rate at which training diverges.
    let grid = |out: &'static str| {
        [
            "compare",
            "--config",
            "base.yaml",
            "--over",
            "training.optimizer.learning_rate=0.01,1e30",
            "--over",
            "objective=flow_matching,ct",
            "--no-curve",
            "--jobs",
            "1",
            "--out",
            out,
        ]
    };
    for shard in ["1/2", "2/2"] {
        let done = folder.run(&[&grid("parts")[..], &["--shard", shard]].concat());
        assert_eq!(done.code, 1, "{}", done.err);
        assert!(!folder.join("parts/results.json").exists());
    }
    folder.succeeds(&["compare", "--collect", "parts"]);
    let whole = folder.run(&grid("whole"));
    assert_eq!(whole.code, 1);
    assert!(whole.err.contains("4 of 8 runs failed"), "{}", whole.err);
    let (parts, whole) = (results(&folder.join("parts")), results(&folder.join("whole")));
    for name in ["0.01, flow_matching", "0.01, ct"] {
        let of = |r: &Value| cell(r, name)["metrics"][0]["spread"]["values"].clone();
        assert_eq!(of(&parts), of(&whole));
        assert_eq!(cell(&whole, name)["errors"], serde_json::json!([]));
    }
    let failed = cell(&whole, "1e+30, ct");
    assert_eq!(failed["metrics"][0], Value::Null);
    // Each seed has its step and norm.
    for (seed, why) in failed["errors"].as_array().unwrap().iter().enumerate() {
        let why = why.as_str().unwrap();
        assert!(why.starts_with(&format!("seed {}: ", 42 + seed)), "{why}");
        assert!(why.contains("learning_rate"), "{why}");
    }
    assert_eq!(failed["errors"].as_array().unwrap().len(), 2);
    // Only the failed cell is tried again.
    let again = folder.run(&["compare", "--resume", "whole"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("4 of 4 runs failed"), "{}", again.err);
}

#[test]
fn a_file_may_say_what_is_compared_with_paths_of_its_own() {
    let folder = base();
    std::fs::create_dir(folder.join("own")).unwrap();
    folder.succeeds(&["data", "two_moons", "--set", "samples=300", "--out", "own/moons.npz"]);
    folder.write(
        "own/study.yaml",
        "extends: ../base.yaml
comparison:
  over:
    recipe:
      flow: { objective: flow_matching }
      target: { objective: ct, noise_schedule: cosine, loss.weighting: field }
      exploding: { path: variance_exploding, noise_schedule: karras }
    data: [{ type: npz, path: moons.npz }, { type: two_moons, samples: 300 }]
  seeds: 1
  budget: { steps: 3 }
  curve: null
",
    );
    let output = folder.succeeds(&["compare", "--config", "own/study.yaml", "--dry-run"]);
    assert!(output.contains("6 models x 1 seeds = 6 runs of 3 steps"), "{output}");
    assert!(output.contains("not on one scale"), "{output}");
    folder.succeeds(&["compare", "--config", "own/study.yaml", "--out", "out"]);
    let found = results(&folder.join("out"));
    let config = cell(&found, "target, npz(path=moons.npz)")["config"].as_str().unwrap();
    assert!(
        config.contains("weighting:\n    type: field") && config.contains("type: cosine"),
        "{config}"
    );
    assert!(config.contains("steps: 3"));
    // Paths begin at a deviation of 80, and are drawn in the size of the data.
    let paths = &cell(&found, "exploding, two_moons(samples=300)")["paths"]["states"][0];
    let numbers = paths.as_array().unwrap().iter().flat_map(|z| z.as_array().unwrap());
    let largest = numbers.map(|v| v.as_f64().unwrap().abs()).fold(0.0, f64::max);
    assert!(largest > 0.5 && largest < 8.0, "{largest}");
    // With a single seed there is no verdict.
    for cell in found["cells"].as_array().unwrap() {
        assert_eq!(cell["metrics"][0]["verdict"], "unknown");
    }
    // A run of the file ignores its comparison, and does not save it.
    let run = folder.succeeds(&["run", "own/study.yaml", "-q", "--num-epochs", "1"]);
    let config = std::fs::read_to_string(folder.path().join(run.trim()).join("config.yaml"));
    assert!(!config.unwrap().contains("comparison"));
}

/// The primary metric comes first, the likelihood is measured once a model, and each cell is
/// compared with those of its own data.
#[test]
fn a_comparison_decides_by_the_metric_that_was_asked_for_within_each_data_set() {
    let folder = base();
    folder.succeeds(&[
        "compare",
        "--config",
        "base.yaml",
        "--unconditional",
        "--over",
        "data.type=two_moons,eight_gaussians",
        "--over",
        "training.optimizer.learning_rate=0.00001,0.02",
        "--over",
        "sampling.solver.type=euler,midpoint",
        "--set",
        "comparison.metric=energy_distance",
        "--set",
        "comparison.likelihood=dopri5",
        "--out",
        "out",
    ]);
    let found = results(&folder.join("out"));
    let names: Vec<&str> =
        found["metrics"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[1]), ("energy_distance", "w2"));
    let place = |name: &str| names.iter().position(|n| *n == name).unwrap();
    assert!(names.contains(&"class_shares") && !names.contains(&"classifier_agreement"));
    let nll = |name: &str| &cell(&found, name)["metrics"][place("nll")]["spread"]["values"];
    for data in ["two_moons", "eight_gaussians"] {
        assert_eq!(nll(&format!("{data}, 0.02, euler")), nll(&format!("{data}, 0.02, midpoint")));
        assert_ne!(nll(&format!("{data}, 0.02, euler")), nll(&format!("{data}, 0.00001, euler")));
    }
    let best = |data: &str| {
        let cells = found["cells"].as_array().unwrap().iter();
        let own = cells.filter(|c| c["name"].as_str().unwrap().starts_with(data));
        own.filter(|c| c["metrics"][0]["verdict"] == "best").count()
    };
    assert_eq!((best("two_moons"), best("eight_gaussians")), (1, 1));
    let report = String::from_utf8(bytes(&folder.join("out/report.html"))).unwrap();
    assert!(report.contains("Best on each of the data sets by"));
}

#[test]
fn what_cannot_be_compared_is_told_before_anything_is_trained() {
    let folder = base();
    let fails = |args: &[&str]| {
        let error =
            folder.fails(&[&["compare", "--config", "base.yaml", "--out", "out"], args].concat());
        assert!(!folder.join("out").exists(), "{error}");
        error
    };
    for (args, message) in [
        (&["--over", "objectiv=ct"][..], "did you mean `objective`?"),
        (&["--over", "objective=flow_mtching"], "did you mean `flow_matching`?"),
        (&["--over", "objective"], "names no key"),
        (&["--over", "objective=ct,ct"], "names `ct` twice"),
        (&["--over", ".=1"], "needs names of keys"),
        (&["--over", "objective="], "needs at least one value"),
        (&["--over", "objective=,ct"], "in `--over objective=,ct`"),
        (&["--over", "objective=ct", "--over", "objective=ct"], "is given twice"),
        (&["--over", "training.seed=1,2"], "seeds do not make cells"),
        (&["--over", "comparison.points=9,10"], "is the same for all cells"),
        (&["--set", "comparison.point=9"], "unknown key `point`"),
        (&["--set", "comparison.points=50001"], "needs from 2 to 50000 points"),
        (&["--seeds", "1000000000000"], "are more than 100000 runs"),
        (&["--budget", "weeks=3"], "known keys: epochs, steps, seconds"),
        (&["--budget", "steps=0"], "needs one number above 0"),
        (&["--set", "comparison.metric=recal"], "did you mean `recall`?"),
        (&["--set", "comparison.metric=density"], "has no better or worse values"),
        (&["--set", "comparison.seeds=0"], "comparison.seeds"),
        (&["--over", "training.ema=1,2"], "needs 0 <= ema < 1, got 1"),
        (&["--over", "sampling.guidance=2,3"], "no cell is a valid experiment"),
        (&["--shard", "3/2"], "there is no part 3: they count from 1 to 2"),
        (&["--jobs", "0"], "needs a whole number from 1 to 1024"),
    ] {
        let error = fails(args);
        assert!(error.contains(message), "{args:?}: {error}");
    }
    let error = folder.fails(&["compare", "--collect", "."]);
    assert!(error.contains("is not the folder of a comparison"), "{error}");
}

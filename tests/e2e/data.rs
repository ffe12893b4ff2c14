//! Users' own data: files, formats, moved and changed data.

use crate::command::{Folder, text};
use std::path::{Path, PathBuf};
use triflow::io::{ArrayData, NamedArray, npz, safetensors};
use triflow::registry::registry;

const SMALL: [&str; 6] = ["--num-epochs", "2", "--device", "cpu", "--hidden-dims", "8"];

/// Trains in `folder`, and returns the run folder.
fn train(folder: &Folder, args: &[&str]) -> PathBuf {
    folder.train(&[args, &SMALL].concat())
}

fn parameters(run: &Path) -> Vec<NamedArray> {
    safetensors::read_safetensors(&run.join("params.safetensors")).unwrap().arrays
}

fn read(path: &Path, name: &str) -> NamedArray {
    npz::read_array(path, name).unwrap()
}

#[test]
fn every_ending_trains_the_same_model() {
    let folder = Folder::new();
    let runs = ["moons.npz", "moons.csv", "moons.safetensors"].map(|file| {
        folder.succeeds(&[
            "data",
            "two_moons",
            "--set",
            "samples=100",
            "--seed",
            "3",
            "--out",
            file,
        ]);
        parameters(&train(&folder, &["train", "--data-path", file]))
    });
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0], runs[2]);
}

#[test]
fn rows_that_stay_on_disk_train_the_same_model() {
    let folder = Folder::new();
    let data = ["data", "two_moons", "--set", "samples=300", "--seed", "3", "--out"];
    for file in ["moons.safetensors", "moons.npz"] {
        folder.succeeds(&[&data[..], &[file]].concat());
    }
    // x is the condition of the first task and the target of the others.
    for task in [&["train"][..], &["train-gen"], &["train-gen", "--unconditional"]] {
        let trained = |keep: &str| {
            let more = ["--data-path", "moons.safetensors", "--set", keep, "--batch-size", "32"];
            let run = train(&folder, &[task, &more].concat());
            let history = std::fs::read_to_string(run.join("history.csv")).unwrap();
            let metrics = std::fs::read_to_string(run.join("metrics.json")).unwrap();
            (history, metrics, parameters(&run))
        };
        assert_eq!(trained("data.keep=device"), trained("data.keep=disk"));
    }
    let disk = ["train", "--set", "data.keep=disk", "--data-path", "moons.npz"];
    let error = folder.fails(&disk);
    assert!(
        error.starts_with(
            "error: array `x` of moons.npz cannot stay on disk: it is compressed\n  at data.keep"
        ),
        "{error}"
    );
    assert!(error.contains("numpy.savez"), "{error}");
    let error = folder.fails(&disk[..3]);
    assert!(
        error.starts_with("error: this data source cannot leave its rows on disk\n  at data.keep"),
        "{error}"
    );
}

#[test]
fn predict_writes_labels_from_zero_and_spreads_from_draws() {
    let folder = Folder::new();
    folder.succeeds(&["data", "two_moons", "--set", "samples=100", "--out", "moons.csv"]);
    let run = train(&folder, &["train", "--data-path", "moons.csv"]);
    std::fs::write(folder.join("new.csv"), "x0,x1\n0.5,1\n-1,0\n2,-0.5\n").unwrap();
    let run = text(&run);
    let predict = |out: &str, more: &[&str]| {
        let args = [&["predict", "--run", run, "--data", "new.csv", "--out", out], more].concat();
        folder.succeeds(&args);
        folder.join(out)
    };
    let (one, two) = (predict("one.npz", &[]), predict("two.npz", &[]));
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    assert_eq!(npz::list_names(&one).unwrap(), ["predictions", "labels", "condition_columns"]);
    let predictions = read(&one, "predictions");
    assert_eq!(predictions.shape, [3, 2]);
    let likely: Vec<i64> =
        predictions.data.to_f64().chunks(2).map(|p| i64::from(p[1] > p[0])).collect();
    assert_eq!(read(&one, "labels").data, ArrayData::from(likely));
    let drawn = predict("drawn.npz", &["--samples", "3", "--seed", "1", "--steps", "2"]);
    assert_eq!(
        npz::list_names(&drawn).unwrap(),
        ["predictions", "std", "labels", "condition_columns"]
    );
    assert!(read(&drawn, "std").data.to_f64().iter().all(|d| *d > 0.0));
    let error = folder.fails(&["predict", "--run", run, "--data", "new.csv", "--out", "p.txt"]);
    assert_eq!(
        error,
        "error: --out p.txt: the name must end in .npz, .csv, .tsv, .csv.gz, .tsv.gz, .parquet, \
         .feather or .arrow"
    );
}

#[test]
fn conditions_that_are_no_labels_come_from_a_file() {
    let folder = Folder::new();
    let values: Vec<f32> = (0..60).map(|i| i as f32 / 30.0).collect();
    let array = |name: &str, values: &[f32]| {
        NamedArray::new(name, vec![values.len()], values.to_vec()).unwrap()
    };
    let file = |name: &str, arrays: &[NamedArray]| {
        npz::write_npz(&folder.join(name), arrays).unwrap();
    };
    file("rows.npz", &[array("x", &values), array("y", &values)]);
    file("wanted.npz", &[array("y", &[0.5, 1.5])]);
    let run = train(&folder, &["train-gen", "--data-path", "rows.npz"]);
    let run = text(&run);
    let generate = ["generate", "--run", run, "--out", "s.npz"];
    let more = ["--condition", "wanted.npz", "--n", "2"];
    folder.succeeds(&[&generate[..], &more].concat());
    let out = folder.join("s.npz");
    assert_eq!(read(&out, "samples").shape, [4, 1]);
    assert_eq!(read(&out, "conditions"), array("conditions", &[0.5, 0.5, 1.5, 1.5]));
    assert_eq!(
        folder.fails(&generate),
        "error: this run's condition is not a label\n  help: give a file of conditions with --condition FILE"
    );
    let predict = ["predict", "--run", run, "--data", "rows.npz", "--out", "p.npz"];
    assert!(folder.fails(&predict).starts_with("error: this run generates, it does not predict\n"));
}

/// A table of rows of three numbers, scaled by `scale` and shifted by `shift`.
fn table(scale: f64, shift: f64) -> String {
    let value = |i: usize, k: f64| scale * (k * i as f64).sin() + shift;
    let row = |i| format!("{},{},{}\n", value(i, 0.7), value(i, 1.9), i % 3);
    "x0,x1,label\n".to_owned() + &(0..100).map(row).collect::<String>()
}

#[test]
fn data_that_changed_are_refused_and_data_that_moved_are_found() {
    let folder = Folder::new();
    folder.write("rows.csv", &table(1.0, 0.0));
    let run =
        train(&folder, &["train-gen", "--data-path", "rows.csv", "--set", "sampling.steps=2"]);
    let evaluate = |more: &[&str]| {
        [&["evaluate", "--run", text(&run), "--draws", "1"][..], more]
            .concat()
            .iter()
            .map(|s| (*s).to_owned())
            .collect::<Vec<_>>()
    };
    let succeeds = |more: &[&str]| {
        let args = evaluate(more);
        let text = folder.succeeds(&args.iter().map(String::as_str).collect::<Vec<_>>());
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let fails = |more: &[&str]| {
        let args = evaluate(more);
        folder.fails(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let before = succeeds(&[]);
    let manifest = std::fs::read_to_string(run.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let rows = serde_json::json!({ "train": 80, "val": 10, "test": 10 });
    assert_eq!(manifest["data"]["rows"], rows);
    // The file is moved.
    std::fs::create_dir(folder.join("else")).unwrap();
    std::fs::rename(folder.join("rows.csv"), folder.join("else/moved.csv")).unwrap();
    let error = fails(&[]);
    assert!(
        error.contains("no such file") && error.contains("--data-path FILE says where"),
        "{error}"
    );
    assert_eq!(succeeds(&["--data-path", "else/moved.csv"]), before);
    // The file is changed. Units stay those of training, so that shifted rows are far from the
    // samples.
    folder.write("rows.csv", &table(10.0, 100.0));
    let error = fails(&[]);
    assert!(
        error.starts_with(
            "error: the data are not those that this run began with: their values have changed since\n"
        ) && error.contains("--data FILE"),
        "{error}"
    );
    assert!(fails(&["--data-path", "rows.csv"]).contains("their values have changed since"));
    let far = succeeds(&["--data", "rows.csv"]);
    assert!(far["w2"].as_f64().unwrap() > 100.0, "{far:#}");
    let fewer: Vec<String> = table(1.0, 0.0).lines().take(51).map(str::to_owned).collect();
    folder.write("rows.csv", &fewer.join("\n"));
    let error = folder.fails(&["plot", "--run", text(&run)]);
    assert!(error.contains("it had 100 rows, and there are 50 now"), "{error}");
}

#[test]
fn wrong_files_leave_with_code_2_and_say_what_would_be_right() {
    let folder = Folder::new();
    assert!(
        folder
            .fails(&["train", "--data-path", "old.pkl"])
            .starts_with("error: old.pkl: pickles are not read")
    );
    assert!(
        folder
            .fails(&["train", "--data-path", "no.csv"])
            .starts_with("error: no.csv: no such file")
    );
    triflow_plugins::link();
    let sources = registry().list(Some("data_source"));
    let known: Vec<_> = sources.iter().map(|entry| entry.info.name).collect();
    assert_eq!(
        folder.fails(&["data", "two_moon", "--out", "d.npz"]).lines().last().unwrap().trim(),
        format!("help: did you mean `two_moons`? known data sources: {}", known.join(", "))
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_found_in_the_data_and_what_is_odd_about_them_is_said() {
    let folder = Folder::new();
    let rows: String = (0..100).map(|i| format!("{},{}\n", 1_600_000_000 + i, i % 7)).collect();
    folder.write("far.csv", &format!("x0,x1\n{rows}"));
    folder.write("e.yaml", "task: generation\nunconditional: true\n");
    let validate = |more: &[&str]| {
        let args = [&["validate", "e.yaml"], more].concat();
        let done = folder.command(&args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&done.stdout), text(&done.stderr))
    };
    let (out, err) = validate(&["--data-path", "far.csv"]);
    let found =
        "# data: x: 2 columns (x0, x1); 80 rows for training, 10 for validation, 10 for test";
    assert!(out.starts_with(found), "{out}{err}");
    assert!(!err.contains("float32 rounds") && !err.contains("KL(z_0)"), "{err}");
    let raw = ["--data-path", "far.csv", "--set", "data.standardise=false"];
    let (_, err) = validate(&raw);
    assert!(err.contains("float32 rounds x by more than a thousandth"), "{err}");
    assert!(!err.contains("KL(z_0)"), "{err}");
    let (_, err) = validate(&[&raw[..], &["--set", "path=variance_preserving"]].concat());
    assert!(err.contains("KL(z_0) from N(0, I)"), "{err}");
    // A folder is valid only for data sources that read one.
    std::fs::create_dir(folder.join("pics")).unwrap();
    let error = folder.fails(&["validate", "e.yaml", "--data-path", "pics"]);
    assert!(error.contains("pics: is a folder, which the experiment's data source"), "{error}");
    let images = ["--set", "data.type=image_folder", "--data-path", "pics"];
    let error = folder.fails(&[&["validate", "e.yaml"], &images[..]].concat());
    assert!(error.contains("pics") && !error.contains("is a folder, which"), "{error}");
}

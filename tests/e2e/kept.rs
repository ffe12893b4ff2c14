//! Files over which no command writes: those that it reads, and those of runs.

use crate::command::{Folder, TINY, bytes, text};
use std::path::Path;

/// The names of files and folders, with the content of the files.
fn all(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<_> = entries
        .map(|path| {
            let content = if path.is_file() { bytes(&path) } else { Vec::new() };
            (text(&path).to_owned(), content)
        })
        .collect();
    all.sort();
    all
}

/// Asserts that the command is refused with this message and changes nothing here nor in `run`.
fn refuses(folder: &Folder, run: &Path, args: &[&str], message: &str) {
    let before = (all(folder.path()), all(run));
    let error = folder.fails(args);
    let first = error.lines().next().unwrap().replace(text(folder.path()), "[…]");
    assert_eq!(first, format!("error: {message}"), "{args:?}");
    assert!(error.ends_with("help: give --out another name"), "{error}");
    assert!((all(folder.path()), all(run)) == before, "{args:?}");
}

#[test]
fn a_file_that_is_read_is_not_written_over_by_any_of_its_names() {
    let folder = Folder::new();
    folder.succeeds(&["data", "two_moons", "--set", "samples=160", "--out", "moons.csv"]);
    let train = [&["train-gen", "--data-path", "moons.csv"], &TINY[..10]].concat();
    let run = folder.train(&train);
    let dir = text(&run).to_owned();
    for name in ["rows.csv", "rows.npz"] {
        folder.write(name, "not yet looked at\n");
    }
    std::fs::create_dir(folder.join("sub")).unwrap();
    std::os::unix::fs::symlink("rows.csv", folder.join("link.csv")).unwrap();
    std::fs::hard_link(folder.join("rows.csv"), folder.join("hard.csv")).unwrap();
    let absolute = folder.join("rows.csv");
    let refused = |args: &[&str], out: &str, input: &str| {
        let args = [args, &["--out", out]].concat();
        let message = format!("--out {out}: is the input {input}, which would be overwritten");
        refuses(&folder, &run, &args, &message.replace(text(folder.path()), "[…]"));
    };
    for out in
        ["rows.csv", "./rows.csv", "sub/../rows.csv", text(&absolute), "link.csv", "hard.csv"]
    {
        let args = ["predict", "--run", &dir, "--data", "rows.csv"];
        refused(&args, out, "rows.csv of --data");
    }
    let data = ["data", "table", "--set", "y=label", "--set", "path=rows.csv"];
    refused(&data, "link.csv", "rows.csv of --set");
    refused(&["impute", "--run", &dir, "--data", "link.csv"], "rows.csv", "link.csv of --data");
    for flag in ["--given", "--condition", "--seeds", "--invert", "--from"] {
        let args = ["generate", "--run", &dir, flag, "rows.npz"];
        refused(&args, "rows.npz", &format!("rows.npz of {flag}"));
    }
    let edit = ["generate", "--run", &dir, "--at", "0.5", "--edit", "rows.csv"];
    refused(&edit, "hard.csv", "rows.csv of --edit");
    for flag in ["--data", "--samples", "--data-path"] {
        let args = ["evaluate", "--run", &dir, "--likelihood", "5", flag, "rows.csv"];
        refused(&args, "rows.csv", &format!("rows.csv of {flag}"));
    }
    // The rows that a run was trained on, which no flag names.
    let message = "--out sub/../moons.csv: is […]/moons.csv, which the run DIR reads, and would be overwritten";
    let args = ["generate", "--run", &dir, "--n", "2", "--out", "sub/../moons.csv"];
    refuses(
        &folder,
        &run,
        &args,
        &message.replace("DIR", &dir.replace(text(folder.path()), "[…]")),
    );
    // Another file is overwritten, as ever.
    folder.succeeds(&["generate", "--run", &dir, "--n", "2", "--out", "rows.csv"]);
    assert_ne!(bytes(&absolute), b"not yet looked at\n");
}

#[test]
fn a_file_of_a_run_is_not_written_over_by_any_command() {
    let folder = Folder::new();
    let run = folder.tiny(&["train-gen"]);
    let dir = text(&run).to_owned();
    let shown = dir.replace(text(folder.path()), "[…]");
    let of_run =
        format!("is a file of the run or comparison {shown}, where nothing is overwritten");
    let refused = |args: &[&str], name: &str, more: &str| {
        let out = format!("{dir}/{name}");
        let message = format!("--out {shown}/{name}: {more}{of_run}");
        refuses(&folder, &run, &[args, &["--out", &out]].concat(), &message);
    };
    let generate = ["generate", "--run", &dir, "--n", "2"];
    for name in ["samples.npz", "config.yaml", "params.safetensors"] {
        refused(&generate, name, "");
    }
    refused(&["data", "two_moons"], "samples.npz", "");
    let checkpoint = std::fs::read_dir(run.join("checkpoints")).unwrap().next().unwrap().unwrap();
    let name = format!("checkpoints/{}", checkpoint.file_name().to_str().unwrap());
    refused(&["data", "two_moons"], &name, "");
    let curve = ["curve", "--run", &dir, "--solver", "euler", "--nfe", "1"];
    refused(&curve, "loss_trends.png", "");
    // The values of a curve are written beside its picture.
    refused(&curve, "history.png", &format!("{shown}/history.json, beside it, "));
    std::os::unix::fs::symlink(run.join("samples.npz"), folder.join("link.npz")).unwrap();
    let args = [&generate[..], &["--out", "link.npz"]].concat();
    refuses(&folder, &run, &args, &format!("--out link.npz: {of_run}"));
    // A new name is free, and a folder with a user's own config.yaml is no run.
    folder.succeeds(&[&generate[..], &["--out", &format!("{dir}/more.npz")]].concat());
    folder.write("config.yaml", "task: generation\n");
    for _ in 0..2 {
        folder.succeeds(&[&generate[..], &["--out", "more.npz"]].concat());
    }
}

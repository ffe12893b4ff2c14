//! The two programs of the command: `triflow`, which is started, answers without LibTorch as
//! `triflow-full` beside it does.

use crate::command::{Folder, bytes, text};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LAUNCHER: &str = env!("CARGO_BIN_EXE_triflow");
const FULL: &str = env!("CARGO_BIN_EXE_triflow-full");

/// The launcher without the full program beside it.
fn alone(folder: &Folder) -> PathBuf {
    let own = folder.join("triflow");
    std::fs::copy(LAUNCHER, &own).unwrap();
    own
}

fn output(program: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program);
    for name in ["RUST_LOG", "TRIFLOW_PLUGIN_PATH", "COLUMNS", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.arg0("triflow").args(args).envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn help_lists_descriptions_and_errors_of_arguments_are_those_of_the_full_program() {
    let folder = Folder::new();
    let launcher = alone(&folder);
    let same = |args: &[&str], variables: &[(&str, &str)]| {
        let (found, full) =
            (output(&launcher, args, variables), output(Path::new(FULL), args, variables));
        assert!(!full.stdout.is_empty() || !full.stderr.is_empty());
        assert_eq!(found, full, "{args:?} {variables:?}");
    };
    for args in [
        &[][..],
        &["--help"],
        &["-h"],
        &["--version"],
        &["train-gen", "--help"],
        &["evaluate", "-h"],
        &["help", "compare"],
        &["list"],
        &["-q", "list", "solver"],
        &["list", "--format", "json"],
        &["describe", "noise_schedule", "cosine"],
        &["describe", "network", "unet"],
        &["describe", "network", "unet", "--format", "json"],
        &["completions", "zsh"],
        &["lits"],
        &["list", "--formt", "json"],
        &["list", "--format", "yaml"],
        &["train", "--seeed", "1"],
        &["generate", "--n", "x"],
        &["describe", "solver", "heun", "--plot"],
    ] {
        same(args, &[]);
    }
    for variables in [("COLUMNS", "50"), ("COLUMNS", "200"), ("CLICOLOR_FORCE", "1")] {
        same(&["train-gen", "--help"], &[variables]);
        same(&["list", "coupling"], &[variables]);
        same(&["train", "--seeed", "1"], &[variables]);
    }
}

#[test]
fn the_launcher_loads_no_libtorch() {
    for (program, loads) in [(LAUNCHER, false), (FULL, true)] {
        let program = bytes(Path::new(program));
        for library in ["libtorch_cpu.so", "libc10.so"] {
            let found = program.windows(library.len()).any(|part| part == library.as_bytes());
            assert_eq!(found, loads, "{library}");
        }
    }
}

#[test]
fn whatever_else_is_asked_the_full_program_answers() {
    let folder = Folder::new();
    for (args, variables) in [
        (&["list", "no_such_kind"][..], &[][..]),
        (&["list", "slover"], &[]),
        (&["describe", "solver"], &[]),
        (&["describe", "solver", "huen"], &[]),
        (&["describe", "coupling", "ot"], &[]),
        (&["describe", "noise_schedule", "cosine", "--eval", "--points", "3"], &[]),
        (&["init"], &[]),
        (&["list", "solver", "--plugin", "no_such.so"], &[]),
        (&["list"], &[("TRIFLOW_PLUGIN_PATH", "/no/such/folder")]),
        (&["list"], &[("MASTER_ADDR", "localhost")]),
    ] {
        // As a link in another folder, too.
        let link = folder.join("link");
        std::os::unix::fs::symlink(LAUNCHER, &link).unwrap();
        let full = output(Path::new(FULL), args, variables);
        assert_eq!(output(Path::new(LAUNCHER), args, variables), full, "{args:?}");
        assert_eq!(output(&link, args, variables), full, "{args:?}");
        std::fs::remove_file(link).unwrap();
    }
}

#[test]
fn without_the_full_program_the_error_says_what_to_do() {
    let folder = Folder::new();
    let done = output(&alone(&folder), &["init"], &[]);
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!((done.status.code(), done.stdout), (Some(1), Vec::new()), "{told}");
    let full = folder.join("triflow-full");
    for part in ["error: cannot start ", text(&full), "help: ", "copy both"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_run_records_the_command_as_it_was_called() {
    let folder = Folder::new();
    let data = "{ type: two_moons, samples: 40 }";
    folder.write("e.yaml", &format!("task: generation\ndata: {data}\ntraining: {{ steps: 1 }}\n"));
    let (file, run) = (folder.join("e.yaml"), folder.join("run"));
    let args = ["-q", "run", text(&file), "--run-dir", text(&run)];
    let done = output(Path::new(LAUNCHER), &args, &[]);
    assert!(done.status.success(), "{done:?}");
    let manifest = std::fs::read(run.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["command"], serde_json::json!([&["triflow"][..], &args].concat()));
}

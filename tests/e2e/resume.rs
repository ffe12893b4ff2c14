//! A run that was stopped and resumed equals one that never stopped, byte for byte.

use crate::command::{Folder, bytes, text};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use triflow::io::safetensors;

/// An experiment of 100 steps an epoch that uses every part of the training state.
const EXPERIMENT: &str = "
task: generation
objective: diffusion
noise_schedule: cosine
data: { type: two_moons, samples: 4000 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [16], dropout: 0.1 } }
training:
  epochs: 30
  batch_size: 32
  optimizer: { type: adamw, learning_rate: 0.004 }
  lr_schedule: { type: cosine, warmup: 50 }
  clip_grad_norm: 1.0
  dropout_epochs: 6
sampling: { solver: euler, steps: 4 }
device: cpu
";
const EPOCHS: u64 = 30;
const STEPS_PER_EPOCH: u64 = 100;

/// Files that are equal after equal trainings.
const SAME: [&str; 5] =
    ["params.safetensors", "history.csv", "history.json", "metrics.json", "config.yaml"];

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    folder
}

/// Starts the command, and sends `signal` as soon as its log reports the end of an epoch. Returns
/// exit status, run folder and log.
pub fn stopped(folder: &Folder, args: &[&str], signal: &str) -> (ExitStatus, PathBuf, String) {
    stopped_by(folder.command(args), folder, signal)
}

fn stopped_by(mut run: Command, folder: &Folder, signal: &str) -> (ExitStatus, PathBuf, String) {
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let (mut all, mut line) = (String::new(), String::new());
    while log.read_line(&mut line).unwrap() > 0 {
        all += &line;
        // The first epoch is always logged.
        if line.contains("epoch ") {
            let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(kill.unwrap().success());
            break;
        }
        line.clear();
    }
    log.read_to_string(&mut all).unwrap();
    let run = all.split("into ").nth(1).and_then(|t| t.lines().next());
    let run = folder.join(run.unwrap_or_else(|| panic!("no run folder in the log: {all}")));
    (child.wait().unwrap(), run, all)
}

/// The step of the latest checkpoint.
fn checkpoint(run: &Path) -> Option<u64> {
    let names = std::fs::read_dir(run.join("checkpoints")).ok()?.flatten();
    let steps = names.filter_map(|e| {
        let name = e.file_name().into_string().unwrap();
        name.strip_prefix("step_")?.strip_suffix(".safetensors")?.parse().ok()
    });
    steps.max()
}

fn assert_same(one: &Path, other: &Path) {
    for name in SAME {
        assert!(bytes(&one.join(name)) == bytes(&other.join(name)), "{name} differs");
    }
}

#[test]
fn ctrl_c_and_resume_equal_never_having_stopped() {
    let folder = folder();
    let complete = folder.train(&["run", "e.yaml"]);
    let (status, run, log) = stopped(&folder, &["run", "e.yaml"], "-INT");
    assert_eq!(status.code(), Some(130), "{log}");
    let shown = run.strip_prefix(folder.path()).unwrap();
    let advice = format!("interrupted; continue with `triflow resume --run {}`", shown.display());
    assert_eq!(log.trim().lines().last(), Some(advice.as_str()));
    let step = checkpoint(&run).unwrap();
    assert!((1..EPOCHS * STEPS_PER_EPOCH).contains(&step), "{step}");
    assert!(run.join("history.csv").is_file() && !run.join("params.safetensors").exists());
    assert_eq!(folder.train(&["resume", "--run", text(&run)]), run);
    assert_same(&complete, &run);

    let shown = run.display();
    assert_eq!(
        folder.fails(&["resume", "--run", text(&run)]),
        format!(
            "error: {shown} is finished\n  help: `triflow resume --run {shown} --epochs N` trains it \
             further, to N epochs in all; `triflow run {shown}/config.yaml` trains anew"
        )
    );
}

#[test]
fn a_kill_between_checkpoints_and_resume_equal_never_having_stopped() {
    let folder = folder();
    let complete = folder.train(&["run", "e.yaml"]);
    // By default, a checkpoint is saved every 5 epochs: there is none yet, so that training starts
    // again.
    let (status, run, log) = stopped(&folder, &["run", "e.yaml"], "-KILL");
    assert_eq!((status.code(), checkpoint(&run)), (None, None), "{log}");
    assert!(!run.join("manifest.json").exists());
    folder.train(&["resume", "--run", text(&run)]);
    assert_same(&complete, &run);

    let often = ["run", "e.yaml", "--set", "checkpoint.every=37 steps"];
    let complete = folder.train(&often);
    let (status, run, log) = stopped(&folder, &often, "-KILL");
    assert_eq!(status.code(), None, "{log}");
    let step = checkpoint(&run).unwrap();
    assert!(step.is_multiple_of(37), "{step}");
    folder.train(&["resume", "--run", text(&run)]);
    assert_same(&complete, &run);
}

#[test]
fn a_run_of_an_earlier_version_on_a_table_resumes_as_if_it_had_never_stopped() {
    let folder = Folder::new();
    folder.succeeds(&["data", "two_moons", "--set", "samples=4000", "--out", "rows.csv"]);
    let data = "{ type: csv, path: rows.csv }";
    folder.write("e.yaml", &EXPERIMENT.replace("{ type: two_moons, samples: 4000 }", data));
    let complete = folder.train(&["run", "e.yaml"]);
    let (status, run, log) = stopped(&folder, &["run", "e.yaml"], "-INT");
    assert_eq!(status.code(), Some(130), "{log}");
    // Earlier versions did not write all keys.
    let config = std::fs::read_to_string(run.join("config.yaml")).unwrap();
    assert!(config.contains("  type: csv\n") && config.contains("  weights: null\n"), "{config}");
    std::fs::write(run.join("config.yaml"), config.replace("  weights: null\n", "")).unwrap();
    folder.train(&["resume", "--run", text(&run)]);
    let arrays =
        |run: &Path| safetensors::read_safetensors(&run.join("params.safetensors")).unwrap().arrays;
    assert_eq!(arrays(&complete), arrays(&run));
    for name in ["history.csv", "metrics.json"] {
        assert!(bytes(&complete.join(name)) == bytes(&run.join(name)), "{name} differs");
    }
}

#[test]
fn a_seed_decides_every_byte() {
    let folder = folder();
    let run = |seed: &str| folder.train(&["run", "e.yaml", "--num-epochs", "2", "--seed", seed]);
    let (one, same, other) = (run("1"), run("1"), run("2"));
    assert_same(&one, &same);
    for name in SAME {
        assert!(bytes(&one.join(name)) != bytes(&other.join(name)), "{name} is the same");
    }
}

/// `nohup` starts a command with SIGHUP ignored.
#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let folder = folder();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    let triflow = folder.command(&["run", "e.yaml"]);
    shell.arg(triflow.get_program()).args(triflow.get_args());
    shell.current_dir(folder.path()).envs(triflow.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let (status, run, log) = stopped_by(shell, &folder, "-HUP");
    assert!(status.success(), "{log}");
    assert!(run.join("metrics.json").is_file(), "{log}");
}

#[test]
fn what_is_no_run_folder_is_not_resumed() {
    let folder = Folder::new();
    assert_eq!(
        folder.fails(&["resume", "--run", "nowhere"]),
        "error: nowhere is not a run folder: it has no config.yaml\n  help: a run that was stopped \
         before it wrote that file is begun again by its first command"
    );
}

#[test]
fn more_epochs_for_a_finished_run_are_a_new_run() {
    let folder = folder();
    let run = folder.train(&["run", "e.yaml", "--num-epochs", "1"]);
    let resume = ["resume", "--run", text(&run)];
    let more = [&resume[..], &["--epochs", "2", "--output-dir", "further"]].concat();
    let more = folder.train(&more);
    assert!(more.strip_prefix(folder.path()).unwrap().starts_with("further"), "{more:?}");
    assert_eq!(checkpoint(&more), Some(2 * STEPS_PER_EPOCH));
    assert_eq!(checkpoint(&run), Some(STEPS_PER_EPOCH));
    assert_eq!(
        folder.fails(&[&resume[..], &["--set", "training.stopping=never"]].concat()),
        "error: --set and --output-dir are for the further training of a finished run\n  \
         help: say how far: --epochs N or --steps N"
    );
    assert_eq!(
        folder.fails(&[&resume[..], &["--epochs", "1"]].concat()),
        "error: needs more than the 1 epoch that the run has taken\n  at training.epochs (--epochs)"
    );
}

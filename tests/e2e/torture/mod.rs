//! Runs and comparisons are killed, and disks fill up, at every moment there is: the same command
//! then goes on, and ends in the same bytes as if nothing had happened.
//!
//! The gate makes few trials; `make torture` makes many and prints what it saw, for
//! docs/reliability.md.

mod damage;
mod deleted;
mod disk;
mod kills;
mod repeat;

use crate::command::Folder;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two epochs of a few steps, with every part of the training state and every kind of file: states,
/// old ones of which are removed, best parameters, samples, pictures.
const EXPERIMENT: &str = "
task: generation
objective: diffusion
noise_schedule: cosine
data: { type: two_moons, samples: 400, val_samples: 100, test_samples: 100 }
crn: { type: vanilla, network: { type: mlp, hidden_dims: [16], dropout: 0.1 } }
training:
  epochs: 4
  batch_size: 50
  optimizer: { type: adamw, learning_rate: 0.004 }
  lr_schedule: { type: cosine, warmup: 10 }
  clip_grad_norm: 1.0
  ema: 0.9
checkpoint: { every: 7 steps, keep: 2, keep_best: total }
sampling: { solver: euler, steps: 4 }
device: cpu
";

/// The command of all trials, which begins the run or goes on with it.
const RUN: [&str; 5] = ["-q", "run", "e.yaml", "--run-dir", "run"];

/// Files that differ between equal runs: by times and process ids.
const DIFFERENT: [&str; 2] = ["manifest.json", "events.out.tfevents"];

/// Number of trials: `few` in the tests, `many` in `make torture`.
fn trials(few: usize, many: usize) -> usize {
    if std::env::var_os("TRIFLOW_TORTURE").is_some() { many } else { few }
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("e.yaml", EXPERIMENT);
    folder
}

/// Content of all files below a folder by their names, without those that differ by nature.
fn files(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if path.is_dir() {
                folders.push(path);
            } else if !DIFFERENT.iter().any(|start| name.starts_with(start)) {
                all.insert(
                    path.strip_prefix(run).unwrap().to_owned(),
                    std::fs::read(&path).unwrap(),
                );
            }
        }
    }
    all
}

/// Asserts that a run has the same files with the same bytes as the undisturbed one.
fn assert_same(found: &Path, expected: &BTreeMap<PathBuf, Vec<u8>>, what: &str) {
    let found = files(found);
    let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(expected), "{what}");
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{what}: {} differs", name.display());
    }
}

/// An event of the file system that a process causes: the `nth` call, from 1, of a system call.
#[derive(Clone, Debug)]
struct Event {
    call: String,
    nth: usize,
    /// The call with its arguments, as `strace` shows it.
    #[allow(dead_code, reason = "messages of failed tests show it")]
    text: String,
}

/// Calls that change files, and make up the moments at which a run is stopped.
const CALLS: &str =
    "openat,mkdir,link,linkat,rename,renameat,renameat2,fsync,fdatasync,unlink,unlinkat";

impl Event {
    /// All events of a command.
    fn of(folder: &Folder, args: &[&str]) -> Vec<Event> {
        let log = folder.join("strace.log");
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-o"]).arg(&log).args(["-e", CALLS]);
        assert!(under(traced, folder, args).status().unwrap().success());
        let log = std::fs::read_to_string(log).unwrap();
        let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
        let mut events = Vec::new();
        for line in log.lines() {
            let Some((process, call)) = line.split_once(' ') else { continue };
            let Some((name, _)) = call.trim().split_once('(') else { continue };
            let nth = counts.entry((process, name)).or_default();
            *nth += 1;
            if name != "openat" || call.contains("O_CREAT") {
                let text = call.trim().to_owned();
                events.push(Event { call: name.to_owned(), nth: *nth, text });
            }
        }
        events
    }

    /// The `nth` call of a system call, from 1.
    fn nth_of(call: &str, nth: usize) -> Event {
        Event { call: call.to_owned(), nth, text: String::new() }
    }

    /// The command, in which this call fails or is the last: `fault` is `signal=KILL` or
    /// `error=ENOSPC`.
    fn spoils(&self, folder: &Folder, args: &[&str], fault: &str) -> Command {
        let inject = format!("inject={}:{fault}:when={}", self.call, self.nth);
        let mut traced = Command::new("strace");
        let trace = format!("trace={}", self.call);
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
        under(traced, folder, args)
    }
}

/// The command as the child of another.
fn under(mut parent: Command, folder: &Folder, args: &[&str]) -> Command {
    let command = folder.command(args);
    parent.arg(command.get_program()).args(command.get_args());
    parent.current_dir(folder.path());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => parent.env(key, value),
            None => parent.env_remove(key),
        };
    }
    parent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    parent
}

/// True if `strace` can stop processes here. Required where `TRIFLOW_STRACE_TESTS` is set.
fn can_trace() -> bool {
    let works = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let required = std::env::var_os("TRIFLOW_STRACE_TESTS").is_some();
    assert!(works || !required, "strace is missing or may not trace");
    if !works {
        eprintln!("not tested: strace is missing or may not trace");
    }
    works
}

/// Does the numbered trials on two threads.
fn on_two_threads(trials: usize, trial: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= trials {
                return;
            }
            trial(i);
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work();
        if let Err(panic) = other.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Events at equal distances.
fn some(events: &[Event], n: usize) -> Vec<&Event> {
    (0..n.min(events.len())).map(|i| &events[i * events.len() / n.min(events.len())]).collect()
}

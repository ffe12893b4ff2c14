//! Several processes that compare into one folder: runs are shared, waited for and taken over, and
//! reports say what is in progress and what is missing.

use super::{base, results, written};
use crate::command::{Folder, bytes, text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

const NOTHING: [PathBuf; 0] = [];

/// A command that runs beside the test, with its errors and logs in a file.
struct Beside {
    child: Child,
    log: PathBuf,
}

impl Beside {
    fn start(folder: &Folder, log: &str, args: &[&str]) -> Self {
        let log = folder.join(log);
        let file = std::fs::File::create(&log).unwrap();
        let mut command = folder.command(args);
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        String::from_utf8(bytes(&self.log)).unwrap()
    }

    /// Waits until the log has these words.
    fn says(&self, words: &str) {
        until(words, || self.log().contains(words));
    }

    /// Exit code and log.
    fn ends(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.log())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Of a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(signal: &str, pid: u32) {
    let pid = pid.to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

/// Arguments of a comparison of two runs.
fn two(out: &str) -> Vec<&str> {
    let grid = ["--over", "objective=flow_matching,ct", "--seeds", "1", "--no-curve"];
    [&["compare", "--config", "base.yaml", "--out", out], &grid[..]].concat()
}

/// The folder of the run of `ct` with seed 42.
fn ct(out: &Path) -> PathBuf {
    let runs = std::fs::read_dir(out.join("runs")).unwrap().map(|entry| entry.unwrap().path());
    let mut own = runs.filter(|run| text(run).contains("/ct-"));
    own.next().unwrap().join("seed_42")
}

/// Replaces a run by the lock of a process of another machine.
fn begin_elsewhere(run: &Path) -> PathBuf {
    std::fs::remove_dir_all(run).unwrap();
    std::fs::create_dir(run).unwrap();
    let holder = json!({
        "host": "elsewhere", "pid": 7, "started": 1, "boot": "another", "since": "2026-01-02 03:04:05"
    });
    let lock = run.join(".job.lock");
    std::fs::write(&lock, holder.to_string()).unwrap();
    lock
}

/// Files that processes leave only if they are killed or fail.
fn left_over(out: &Path) -> Vec<PathBuf> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let all = written(out).into_iter().map(|(path, _)| path);
    all.filter(|path| name(path).starts_with('.') || name(path) == "error.txt").collect()
}

fn values(out: &Path) -> Vec<Value> {
    let found = results(out);
    let cells = found["cells"].as_array().unwrap();
    cells.iter().map(|cell| json!([cell["name"], cell["metrics"]])).collect()
}

#[test]
fn processes_with_the_same_and_with_overlapping_shares_do_each_run_once() {
    let folder = base();
    let grid = |out: &'static str| {
        ["compare", "--config", "base.yaml", "--over", "objective=flow_matching,ct", "--out", out]
    };
    let with = |more: &[&'static str]| [&grid("parts")[..], &["--jobs", "1"], more].concat();
    let shares = [with(&[]), with(&[]), with(&["--shard", "1/2"]), with(&["--shard", "2/2"])];
    let logs = ["a.log", "b.log", "c.log", "d.log"];
    let all: Vec<_> =
        shares.iter().zip(logs).map(|(args, log)| Beside::start(&folder, log, args)).collect();
    let logs: Vec<String> = all
        .into_iter()
        .map(|one| {
            let (code, log) = one.ends();
            assert_eq!(code, Some(0), "{log}");
            log
        })
        .collect();
    let counts = |log: &str| {
        let runs: Vec<_> = log.lines().filter(|line| line.contains(", seed 4")).collect();
        let elsewhere = |line: &&&str| line.contains("done by another process");
        let waits = runs.iter().filter(|line| line.contains("waiting for runs")).count();
        (runs.len() - waits, runs.iter().filter(elsewhere).count())
    };
    let counts: Vec<_> = logs.iter().map(|log| counts(log)).collect();
    // The four runs are done once each, and each process has seen those of its share.
    assert_eq!(counts.iter().map(|(all, elsewhere)| all - elsewhere).sum::<usize>(), 4, "{logs:?}");
    assert_eq!(counts.iter().map(|(all, _)| *all).collect::<Vec<_>>(), [4, 4, 2, 2], "{logs:?}");
    assert_eq!(left_over(&folder.join("parts")), NOTHING);
    folder.succeeds(&grid("whole"));
    assert_eq!(values(&folder.join("parts")), values(&folder.join("whole")));
}

/// A run that another machine is at work on is named by reports and waited for. When its process
/// has not renewed its lock for an hour, the one that waits does the run.
#[test]
fn a_run_of_another_machine_is_waited_for_and_taken_over_when_its_lock_is_stale() {
    let folder = base();
    folder.succeeds(&two("out"));
    let out = folder.join("out");
    let before = values(&out);
    let lock = begin_elsewhere(&ct(&out));
    let collect = || {
        let done = folder.command(&["compare", "--collect", "out"]).output().unwrap();
        assert_eq!(done.status.code(), Some(0));
        String::from_utf8(done.stdout).unwrap()
    };
    let by = ", seed 42 (process 7 on elsewhere since 2026-01-02 03:04:05)";
    let said = collect();
    assert!(said.contains("1 of 2 runs complete") && !said.contains("--resume"), "{said}");
    assert!(said.contains("1 in progress: ct-") && said.contains(by), "{said}");
    let notes = results(&out)["notes"].to_string();
    assert!(notes.contains("1 run was in progress when this report was written."), "{notes}");

    let other = Beside::start(&folder, "log", &["compare", "--resume", "out"]);
    other.says(&format!("{by}\n"));
    assert!(other.log().contains("waiting for runs of other processes: ct-"), "{}", other.log());
    let file = std::fs::File::options().write(true).open(&lock).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let (code, log) = other.ends();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("done by another process"), "{log}");
    assert_eq!(values(&out), before);
    assert_eq!(left_over(&out), NOTHING);

    // A run that is gone is missing until a command makes it again.
    std::fs::remove_dir_all(ct(&out)).unwrap();
    let said = collect();
    assert!(said.contains("\n1 missing: ct-") && !said.contains("in progress"), "{said}");
    assert!(said.contains("complete it with\n  triflow compare --resume out\n"), "{said}");
    folder.succeeds(&["compare", "--resume", "out"]);
    assert_eq!(values(&out), before);
    assert!(!collect().contains("runs complete"));
}

#[test]
fn a_run_that_another_process_completes_or_fails_at_is_not_done_again() {
    let folder = base();
    folder.succeeds(&two("out"));
    let out = folder.join("out");
    let run = ct(&out);
    let kept = folder.join("kept");
    std::fs::rename(&run, &kept).unwrap();
    std::fs::create_dir(&run).unwrap();

    begin_elsewhere(&run);
    let other = Beside::start(&folder, "log", &["compare", "--resume", "out", "--shard", "2/2"]);
    other.says("waiting for runs of other processes");
    std::fs::write(run.join("error.txt"), "out of memory there").unwrap();
    std::fs::remove_file(run.join(".job.lock")).unwrap();
    let (code, log) = other.ends();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(", seed 42: out of memory there\n"), "{log}");
    assert!(log.contains("1 of 1 runs failed"), "{log}");

    begin_elsewhere(&run);
    let other = Beside::start(&folder, "log", &["compare", "--resume", "out"]);
    other.says("waiting for runs of other processes");
    std::fs::remove_dir_all(&run).unwrap();
    std::fs::rename(&kept, &run).unwrap();
    let (code, log) = other.ends();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(", seed 42  done by another process\n"), "{log}");
}

/// The process of a run does not answer, so that a second comparison waits. It is killed, and the
/// second one continues the run.
#[test]
fn a_run_whose_process_is_killed_is_taken_over_by_the_one_that_waits() {
    let folder = base();
    let grid = |out: &'static str| {
        [
            "compare",
            "--config",
            "base.yaml",
            "--over",
            "objective=ct",
            "--seeds",
            "1",
            "--no-curve",
            "--num-epochs",
            "2000",
            "--out",
            out,
        ]
    };
    let first = Beside::start(&folder, "first", &grid("out"));
    let holder = || -> Option<Value> {
        let run = std::fs::read_dir(folder.join("out/runs")).ok()?.next()?.ok()?.path();
        serde_json::from_slice(&std::fs::read(run.join("seed_42/.job.lock")).ok()?).ok()
    };
    until("a lock", || holder().is_some());
    let pid = u32::try_from(holder().unwrap()["pid"].as_u64().unwrap()).unwrap();
    send("-STOP", pid);
    let second = Beside::start(&folder, "second", &grid("out"));
    let by = format!(", seed 42 (process {pid} on ");
    second.says(&by);
    // Nothing is finished.
    let collected = folder.run(&["compare", "--collect", "out"]);
    assert_eq!(collected.code, 1, "{}", collected.err);
    assert!(collected.err.contains("out holds no finished run\n  0 of 1 run complete\n"));
    assert!(collected.err.contains("1 in progress: ct-") && collected.err.contains(&by));
    send("-KILL", first.child.id());
    send("-KILL", pid);
    let (code, log) = second.ends();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("done by another process"), "{log}");
    assert_eq!(left_over(&folder.join("out")), NOTHING);
    folder.succeeds(&grid("whole"));
    assert_eq!(values(&folder.join("out")), values(&folder.join("whole")));
}

/// It may be stopped at any moment, also where it ends without destructors.
#[test]
fn a_comparison_that_is_stopped_leaves_no_lock_for_other_machines_to_wait_for() {
    let folder = base();
    let args = [&two("out")[..], &["--num-epochs", "100000", "--jobs", "2"]].concat();
    let child = Beside::start(&folder, "log", &args);
    let locks = || match folder.join("out/runs").exists() {
        false => Vec::new(),
        true => {
            let all = written(&folder.join("out")).into_iter().map(|(path, _)| path);
            all.filter(|path| text(path).ends_with("lock")).collect()
        }
    };
    until("a lock", || !locks().is_empty());
    send("-TERM", child.child.id());
    let (code, log) = child.ends();
    assert_eq!(code, Some(130), "{log}");
    assert_eq!(locks(), NOTHING);
}

/// The first comparison waits for a run while a second one with another plan does all of its own.
#[test]
fn two_plans_in_one_folder_do_not_spoil_each_other() {
    let folder = base();
    folder.succeeds(&two("out"));
    let out = folder.join("out");
    let before = values(&out);
    let lock = begin_elsewhere(&ct(&out));
    let first = Beside::start(&folder, "first", &two("out"));
    first.says("waiting for runs of other processes");
    let mut more = two("out");
    more[6] = "objective=diffusion";
    folder.succeeds(&more);
    assert_eq!(results(&out)["cells"].as_array().unwrap().len(), 1);
    // The child process of the first comparison still knows its plan.
    std::fs::remove_file(&lock).unwrap();
    let (code, log) = first.ends();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("out was given another plan meanwhile, by `triflow -q compare"), "{log}");
    // The report is of the plan that was begun last.
    assert_eq!(results(&out)["cells"][0]["name"], "diffusion");
    // The first plan has lost nothing.
    let again = Beside::start(&folder, "again", &two("out"));
    let (code, log) = again.ends();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("; 0 of 2 runs left"), "{log}");
    assert_eq!(values(&out), before);
}

#[test]
fn shares_count_from_one_and_an_empty_one_is_no_error() {
    let folder = base();
    let share = |share: &'static str| [&two("out")[..], &["--shard", share]].concat();
    for (number, message) in [
        (
            "0/8",
            "of 8 parts there is no part 0: they count from 1 to 8 (a job array of Slurm does with --array=1-8)",
        ),
        ("9/8", "of 8 parts there is no part 9: they count from 1 to 8"),
        ("1/0", "needs a part and the number of parts, such as 2/8"),
        ("/8", "needs a part and the number of parts, such as 2/8"),
        ("2", "needs a part and the number of parts, such as 2/8"),
    ] {
        let error = folder.fails(&share(number));
        assert!(error.contains(message), "{number}: {error}");
    }
    assert!(!folder.join("out").exists());
    let (code, log) = Beside::start(&folder, "log", &share("3/8")).ends();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("; 0 of 0 runs in share 3/8 of 2 runs left"), "{log}");
    let collected = folder.run(&["compare", "--collect", "out"]);
    assert_eq!(collected.code, 1);
    assert!(collected.err.contains("2 missing: "), "{}", collected.err);
    assert!(collected.err.contains("`triflow compare --resume out` trains"), "{}", collected.err);
    // The command of the report is that of all shares.
    folder.succeeds(&["compare", "--resume", "out"]);
    let command = results(&folder.join("out"))["command"].to_string();
    assert!(!command.contains("--shard") && !command.contains("3/8"), "{command}");
}

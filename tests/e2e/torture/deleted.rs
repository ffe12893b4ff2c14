//! Folders and files of a run that disappear while it is trained, or after it was killed.

use super::{Event, RUN, assert_same, can_trace, files, folder, on_two_threads, trials};
use crate::command::Folder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Removes what number `i` stands for, where it is there; says what it was.
fn remove(run: &Path, i: usize) -> Option<PathBuf> {
    let checkpoints = run.join("checkpoints");
    let newest = || {
        let entries = std::fs::read_dir(&checkpoints).ok()?.flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some()).max()
    };
    let path = match i % 6 {
        0 => run.to_owned(),
        1 => checkpoints,
        2 => newest()?,
        3 => run.join("best.safetensors"),
        4 => run.join("history.json"),
        _ => run.join("params.safetensors"),
    };
    let removed = match path.is_dir() {
        // The run may write into it meanwhile.
        true => (0..100).any(|_| std::fs::remove_dir_all(&path).is_ok()),
        false => std::fs::remove_file(&path).is_ok(),
    };
    removed.then_some(path)
}

/// Whatever is removed while a run is trained, the run ends well or with an error that names the
/// file, and the same command then ends in the same bytes.
#[test]
fn what_is_deleted_in_the_middle_of_a_run_costs_its_time_alone() {
    let whole = folder();
    let began = Instant::now();
    whole.succeeds(&RUN[1..]);
    let (took, expected) = (began.elapsed(), files(&whole.join("run")));
    let n = trials(6, 60);
    on_two_threads(n, |i| {
        let folder = folder();
        let mut command = folder.command(&RUN);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        // From a moment on, until it is there or the run is over.
        let from = took.mul_f64((i / 6 + 1) as f64 / (n / 6 + 1) as f64);
        let mut removed = None;
        while removed.is_none() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
            if began.elapsed() >= from {
                removed = remove(&folder.join("run"), i);
            }
        }
        let done = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&done.stderr);
        assert!(!log.contains("panicked"), "{removed:?}: {log}");
        match done.status.code() {
            Some(0) => {}
            Some(1 | 2) => assert!(log.starts_with("error: "), "{removed:?}: {log}"),
            _ => panic!("{removed:?}: {} {log}", done.status),
        }
        finish(&folder, &expected, removed.as_deref(), &format!("{removed:?} was deleted: {log}"));
    });
    println!("{n} runs lost a folder or a file while they were trained: an error, then same bytes");
}

/// A run that was killed loses a folder or a file before it goes on.
#[test]
fn what_is_deleted_after_a_kill_costs_its_time_alone() {
    if !can_trace() {
        return;
    }
    let whole = folder();
    whole.succeeds(&RUN[1..]);
    let expected = files(&whole.join("run"));
    let n = trials(6, 60);
    on_two_threads(n, |i| {
        let folder = folder();
        let event = Event::nth_of("fsync", 6 + (i / 6) % 20);
        let _ = event.spoils(&folder, &RUN, "signal=KILL").output().unwrap();
        let removed = remove(&folder.join("run"), i);
        finish(
            &folder,
            &expected,
            removed.as_deref(),
            &format!("{removed:?} was deleted after a kill"),
        );
    });
    println!("{n} killed runs lost a folder or a file: same bytes");
}

/// Goes on with a run, finished or not, and checks its files.
fn finish(folder: &Folder, expected: &Files, removed: Option<&Path>, what: &str) {
    let run = folder.join("run");
    let there = files_or_none(&run);
    if run.join("manifest.json").exists() && there.len() < expected.len() {
        // Removed behind the last use of it: a finished run is not trained again.
        for name in expected.keys().filter(|name| !there.contains(*name)) {
            assert!(
                removed.is_some_and(|path| run.join(name).starts_with(path)),
                "{what}: {name:?}"
            );
        }
        return;
    }
    let done = folder.run(&RUN[1..]);
    assert_eq!(done.code, 0, "{what}: {}", done.err);
    assert_same(&run, expected, what);
}

fn files_or_none(run: &Path) -> Vec<PathBuf> {
    if run.is_dir() { files(run).into_keys().collect() } else { Vec::new() }
}

/// A run that is killed before its folder exists leaves nothing, and what goes on with runs says
/// what to do.
#[test]
fn a_run_killed_before_its_folder_exists_says_what_to_do() {
    if !can_trace() {
        return;
    }
    let folder = folder();
    let done = Event::nth_of("mkdir", 1).spoils(&folder, &RUN, "signal=KILL").output().unwrap();
    assert!(!done.status.success());
    let told = folder.fails(&["resume", "--run", "run"]);
    assert!(told.contains("run is not a run folder"), "{told}");
    assert!(told.contains("is begun again by its first command"), "{told}");
    folder.succeeds(&RUN[1..]);
}

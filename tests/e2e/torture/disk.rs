//! Disks that fill up, and files that cannot be made.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Event, RUN, assert_same, can_trace, files, folder, on_two_threads, some, trials};

/// Every call that makes a file, names it or flushes it fails once: the run ends with an error that
/// names the file, leaves no half of one, and goes on to the same bytes.
#[test]
fn a_disk_that_is_full_for_a_moment_costs_nothing() {
    if !can_trace() {
        return;
    }
    let whole = folder();
    let events: Vec<Event> = Event::of(&whole, &RUN);
    let expected = files(&whole.join("run"));
    let events = some(&events, trials(4, 60));
    on_two_threads(events.len(), |i| {
        let (folder, event) = (folder(), events[i]);
        let error = ["error=ENOSPC", "error=EIO", "error=EROFS"][i % 3];
        let done = event.spoils(&folder, &RUN, error).output().unwrap();
        let log = String::from_utf8_lossy(&done.stderr);
        assert!(!log.contains("panicked"), "{event:?} {error}: {log}");
        match done.status.code() {
            Some(0) => {}
            Some(1) => assert!(log.starts_with("error: "), "{event:?} {error}: {log}"),
            _ => panic!("{event:?} {error}: {} {log}", done.status),
        }
        let run = folder.join("run");
        if !run.join("manifest.json").exists() {
            assert_eq!(done.status.code(), Some(1), "{event:?} {error}: {log}");
            folder.succeeds(&RUN[1..]);
        } else if files(&run).len() < expected.len() {
            // A finished run is not lost for a picture.
            let manifest = std::fs::read_to_string(run.join("manifest.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
            let missing = manifest["pictures_not_drawn"].as_array().unwrap();
            assert_eq!(files(&run).len() + missing.len(), expected.len(), "{event:?}: {missing:?}");
            folder.succeeds(&["plot", "--run", "run"]);
        } else {
            // A temporary name that could not be removed is removed by the next process.
            folder.succeeds(&RUN[1..]);
        }
        assert_same(&run, &expected, &format!("{error} at {event:?}"));
    });
    println!("{} calls failed with ENOSPC, EIO or EROFS: an error, then same bytes", events.len());
}

/// Trains in `disk`, a file system that a shell prepares and limits, goes on when the limit is
/// gone, and leaves the run in `run`: `$1` is a limit, `$2` the program, and `prepare`, `train` and
/// `lift` are commands. The exit code is that of the first training.
fn script(prepare: &str, train: &str, lift: &str) -> String {
    let train =
        train.replace("TRAIN", "\"$2\" -q run e.yaml --run-dir disk/run >first.out 2>first.err");
    format!(
        "
mkdir disk && {prepare} || exit 100
{train}
mount -o remount,{lift} disk || exit 101
if [ ! -e disk/run/manifest.json ]; then
  \"$2\" -q run e.yaml --run-dir disk/run >/dev/null 2>again.err || exit 102
fi
\"$2\" -q plot --run disk/run >/dev/null 2>plot.err || exit 103
cp -r disk/run run || exit 104
exit $code
"
    )
}

/// Does `n` trials of a script, each with the limit that `limit` gives for its number and the size
/// of the files of a whole run: a run that stops says `reason`, and all end in the same bytes.
/// Returns the size, and the number of runs that stopped.
fn on_disks(
    n: usize,
    script: &str,
    reason: &str,
    limit: impl Fn(usize, usize) -> usize + Sync,
) -> Option<(usize, usize)> {
    let may_mount = Command::new("unshare").args(["-m", "true"]).output();
    if !may_mount.is_ok_and(|done| done.status.success()) {
        eprintln!("not tested: file systems cannot be mounted here");
        return None;
    }
    let whole = folder();
    whole.succeeds(&RUN[1..]);
    let expected = files(&whole.join("run"));
    let size = expected.values().map(|bytes| bytes.len().next_multiple_of(4096)).sum();
    let stopped = AtomicUsize::new(0);
    on_two_threads(n, |i| {
        let (folder, limit) = (folder(), limit(i, size).to_string());
        let program = folder.command(&[]).get_program().to_owned();
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh", &limit]).arg(program);
        let done = command.current_dir(folder.path()).env("OMP_NUM_THREADS", "1").status().unwrap();
        let log = std::fs::read_to_string(folder.join("first.err")).unwrap();
        assert!(!log.contains("panicked"), "limit {limit}: {log}");
        match done.code() {
            // Pictures are all that a finished run may lack.
            Some(0) => assert_eq!(log, "", "limit {limit}"),
            Some(1) => {
                stopped.fetch_add(1, Ordering::Relaxed);
                assert!(log.contains(reason), "limit {limit}: {log}");
            }
            other => panic!("limit {limit}: {other:?} {log}"),
        }
        assert_same(&folder.join("run"), &expected, &format!("{reason}, limit {limit}"));
    });
    Some((size, stopped.into_inner()))
}

/// A disk that really is too small, at sizes from nothing to nearly enough.
#[test]
fn a_disk_that_is_too_small_costs_nothing_when_it_has_grown() {
    let n = trials(2, 20);
    let script = script("mount -t tmpfs -o size=$1 tmpfs disk", "TRAIN\ncode=$?", "size=64m");
    let limit = |i, size| size * (i + 1) / (n + 1);
    if let Some((size, stopped)) = on_disks(n, &script, "no space left on device", limit) {
        println!("{n} disks of up to {size} bytes, {stopped} stopped the run: same bytes");
    }
}

/// Trains while the disk is locked once `$1` checkpoints are there and no file is open for writing.
const LOCKED: &str = "
TRAIN &
run=$!
seen=0
while kill -0 $run 2>/dev/null; do
  newest=$(ls disk/run/checkpoints 2>/dev/null | tail -n 1)
  [ \"$newest\" = \"$last\" ] || { last=$newest; seen=$((seen + 1)); }
  [ $seen -lt $1 ] || mount -o remount,ro disk 2>/dev/null && break
done
wait $run
code=$?";

/// A disk that becomes read-only while a run writes to it, as one with errors does.
#[test]
fn a_disk_that_becomes_read_only_costs_nothing_when_it_can_be_written_again() {
    let n = trials(2, 20);
    let script = script("mount -t tmpfs tmpfs disk", LOCKED, "rw");
    if let Some((_, stopped)) = on_disks(n, &script, "read-only file system", |i, _| i % 5) {
        println!("{n} disks became read-only, {stopped} in time to stop the run: same bytes");
    }
}

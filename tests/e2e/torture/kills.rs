//! Runs and comparisons that are killed.

use super::{
    EXPERIMENT, Event, RUN, assert_same, can_trace, files, folder, on_two_threads, some, trials,
};
use crate::command::Folder;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Names of temporary files below a folder.
fn temporary(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_keys().filter(|name| name.extension().is_some_and(|e| e == "tmp")).collect()
}

/// The run is killed before every kind of file event, up to three times.
#[test]
fn a_run_killed_at_any_file_event_goes_on_to_the_same_bytes() {
    let killed = killed_at_events(&folder, trials(8, 100));
    println!("{killed} runs killed at file events, some twice or three times: same bytes");
}

/// The training diverges twice, and returns to earlier states, which it keeps with the best
/// parameters of their time.
#[test]
fn a_run_that_returns_after_divergence_is_killed_at_any_file_event_and_goes_on_to_the_same_bytes() {
    let diverges = || {
        let folder = Folder::new();
        let optimizer = "{ type: adamw, learning_rate: 0.004 }";
        let experiment = EXPERIMENT
            .replace("every: 7 steps", "every: 3 steps")
            .replace(
                "lr_schedule: { type: cosine, warmup: 10 }",
                "lr_schedule: { type: constant, warmup: 30 }",
            )
            .replace("clip_grad_norm: 1.0", "on_divergence: restore_and_halve_lr")
            .replace(optimizer, "{ type: sgd, learning_rate: 8 }");
        folder.write("e.yaml", &experiment);
        folder
    };
    let whole = diverges();
    whole.succeeds(&RUN[1..]);
    let history = std::fs::read_to_string(whole.join("run/history.json")).unwrap();
    assert!(history.matches("\"diverged\"").count() > 1, "{history}");
    let killed = killed_at_events(&diverges, trials(4, 40));
    println!("{killed} runs that return after divergence killed at file events: same bytes");
}

/// Kills runs in the folders that `folder` makes before some of their file events, and goes on with
/// them; returns their number.
fn killed_at_events(folder: &(dyn Fn() -> Folder + Sync), trials: usize) -> usize {
    if !can_trace() {
        return 0;
    }
    let whole = folder();
    let events = Event::of(&whole, &RUN);
    let expected = files(&whole.join("run"));
    assert!(events.len() > 60 && expected.len() > 12, "{} {}", events.len(), expected.len());
    let events = some(&events, trials);
    on_two_threads(events.len(), |i| {
        let folder = folder();
        let event = events[i];
        // Later kills are at events of the same kind, a prime number of them apart.
        for kill in 0..=i % 3 {
            let again =
                Event { nth: 1 + (event.nth + 7 * kill - 1) % (event.nth + 7), ..event.clone() };
            let done = again.spoils(&folder, &RUN, "signal=KILL").output().unwrap();
            let log = String::from_utf8_lossy(&done.stderr);
            assert!(kill > 0 || !done.status.success(), "not killed at {event:?}: {log}");
        }
        folder.succeeds(&RUN[1..]);
        assert_same(&folder.join("run"), &expected, &format!("killed at {event:?}"));
    });
    events.len()
}

/// The state at the end of the run.
const LAST: &str = "step_000000032.safetensors";

/// A run is stopped at times between file events, by signals that it handles and by SIGKILL.
#[test]
fn a_run_stopped_at_any_time_goes_on_to_the_same_bytes() {
    let whole = folder();
    let began = Instant::now();
    whole.succeeds(&RUN[1..]);
    let (seconds, expected) = (began.elapsed().as_secs_f64(), files(&whole.join("run")));
    let n = trials(4, 100);
    on_two_threads(n, |i| {
        let folder = folder();
        let signal = ["-KILL", "-TERM", "-INT"][i % 3];
        for part in [0.3 + i as f64, 0.7 + 2.0 * i as f64] {
            let mut child =
                folder.command(&RUN).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_secs_f64(seconds * (part * 0.618_034).fract()));
            let kill = std::process::Command::new("kill")
                .args([signal, &child.id().to_string()])
                .stderr(Stdio::null())
                .status();
            kill.unwrap();
            let status = child.wait().unwrap();
            let log = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
            assert!(!log.contains("panicked"), "{log}");
            assert!(
                [None, Some(0), Some(130), Some(143)].contains(&status.code()),
                "{signal}: {status} {log}"
            );
            if folder.join("run/manifest.json").exists() {
                break;
            }
        }
        if !folder.join("run/manifest.json").exists() {
            folder.succeeds(&RUN[1..]);
        }
        // A signal that is handled saves the state at its step, in place of one of the others.
        let run = folder.join("run");
        if signal != "-KILL" {
            let own = |name: &PathBuf| name.to_string_lossy().contains("/step_");
            for name in files(&run).into_keys().filter(|name| own(name) && !name.ends_with(LAST)) {
                std::fs::remove_file(run.join(name)).unwrap();
            }
            let mut expected = expected.clone();
            expected.retain(|name, _| !own(name) || name.ends_with(LAST));
            assert_same(&run, &expected, signal);
        } else {
            assert_same(&run, &expected, signal);
        }
    });
    println!("{n} runs stopped by SIGKILL, SIGTERM and SIGINT at any time: same bytes");
}

const COMPARISON: &str = "
extends: e.yaml
training: { epochs: 2 }
comparison:
  over: { objective: [flow_matching, { type: diffusion }] }
  seeds: 2
  curve: null
";

const COMPARE: [&str; 8] =
    ["-q", "compare", "--config", "c.yaml", "--jobs", "2", "--out", "compared"];

fn compared(folder: &Folder) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("compared/results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cells = results["cells"].as_array().unwrap();
    cells.iter().map(|c| serde_json::json!([c["name"], c["metrics"], c["errors"]])).collect()
}

/// The processes of a comparison, that of each run among them, are killed at file events.
#[test]
fn a_comparison_killed_at_any_file_event_goes_on_to_the_same_results() {
    if !can_trace() {
        return;
    }
    let base = || {
        let folder = folder();
        folder.write("c.yaml", COMPARISON);
        folder
    };
    let whole = base();
    let events = Event::of(&whole, &COMPARE);
    let expected = compared(&whole);
    let events = some(&events, trials(2, 30));
    on_two_threads(events.len(), |i| {
        let (folder, event) = (base(), events[i]);
        event.spoils(&folder, &COMPARE, "signal=KILL").output().unwrap();
        folder.succeeds(&COMPARE[1..]);
        assert_eq!(compared(&folder), expected, "killed at {event:?}");
        assert_eq!(temporary(&folder.join("compared")), Vec::<PathBuf>::new(), "{event:?}");
    });
    println!("{} comparisons killed at file events: same results", events.len());
}

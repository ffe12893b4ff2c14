//! Disks that fill up, and files that cannot be made.

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
        }
        assert_same(&run, &expected, &format!("{error} at {event:?}"));
    });
    println!("{} calls failed with ENOSPC, EIO or EROFS: an error, then same bytes", events.len());
}

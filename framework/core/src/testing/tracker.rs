use super::expect::ensure;
use super::{Check, Conformance, Kit};
use crate::component::{Ending, Record, TrackedRun, Tracker};
use crate::error::{Error, Result};
use crate::registry::Component;
use std::path::Path;

inventory::submit!(Kit::of::<dyn Tracker>());

impl Conformance for dyn Tracker {
    const CHECKS: &'static [Check<Self>] = &[
        Check {
            name: "record",
            about: "a record that begins takes the values of epochs, not finite ones too, results \
                    and a file, and ends",
            run: record,
        },
        Check {
            name: "goes_on",
            about: "a record goes on with what it has kept, after its last epoch if it knows that",
            run: goes_on,
        },
    ];
    const STARTER: &'static str = include_str!("starters/tracker.rs");

    fn try_build(component: &Component<Self>) -> Result<()> {
        component.build(&()).map(|_| ())
    }
}

fn run(folder: &Path) -> TrackedRun {
    TrackedRun {
        folder: folder.to_owned(),
        name: "gen/20260101_1200".to_owned(),
        parameters: vec![("training.seed".to_owned(), "1".to_owned())],
        ..TrackedRun::default()
    }
}

/// A record with its first two epochs, and what it keeps; `None` where none can begin, such as that
/// of a server that is not there.
fn begun(component: &Component<dyn Tracker>, folder: &Path) -> Result<Option<Record>> {
    let tracker = component.build(&())?;
    let Ok(record) = tracker.start(&run(folder)) else { return Ok(None) };
    for (epoch, value) in [(1, 0.5), (2, f64::NAN)] {
        tracker.epoch(epoch, &[("total/train".to_owned(), value)])?;
    }
    tracker.end(Ending::Interrupted)?;
    Ok(Some(record))
}

fn folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| Error::runtime(e.to_string()))
}

fn record(component: &Component<dyn Tracker>) -> Result<()> {
    let folder = folder()?;
    let tracker = component.build(&())?;
    let Ok(record) = tracker.start(&run(folder.path())) else { return Ok(()) };
    ensure(record.last.is_none_or(|last| last == 0), || {
        format!("a new record has {:?} as its last epoch, expected none", record.last)
    })?;
    tracker
        .epoch(1, &[("total/train".to_owned(), 0.5), ("total/val".to_owned(), f64::INFINITY)])?;
    tracker.go_back(1)?;
    tracker.epoch(1, &[("total/train".to_owned(), 0.4)])?;
    tracker.results(1, &[("w2".to_owned(), 0.1)])?;
    let picture = folder.path().join("loss.png");
    std::fs::write(&picture, b"\x89PNG").map_err(Error::io("write", &picture))?;
    tracker.file(&picture)?;
    tracker.end(Ending::Finished)
}

fn goes_on(component: &Component<dyn Tracker>) -> Result<()> {
    let folder = folder()?;
    let Some(Record { keep, .. }) = begun(component, folder.path())? else { return Ok(()) };
    let tracker = component.build(&())?;
    let again = TrackedRun { resumed_at: Some(3), kept: keep.clone(), ..run(folder.path()) };
    let record = tracker.start(&again)?;
    ensure(record.keep == keep, || {
        format!("it keeps {:?} the second time, expected {keep:?} as before", record.keep)
    })?;
    ensure(record.last.is_none_or(|last| last == 2), || {
        format!("its last epoch is {:?}, expected 2", record.last)
    })?;
    tracker.epoch(3, &[("total/train".to_owned(), 0.3)])
}

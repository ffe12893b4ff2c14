//! Trackers of a run: what is recorded beside the run folder.
//!
//! A tracker that fails does not stop the training. What it has missed is kept and recorded when it
//! answers again; the times between trials grow, so that a server that is away costs little.

use super::Run;
use crate::component::{Ending, Epoch, LossTerm, TrackedRun, Tracker};
use crate::config::Experiment;
use crate::error::{Error, Result};
use crate::io::write_atomically;
use crate::report;
use crate::train::Trainer;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The file with the texts that records have kept, in the order of `tracking`.
const KEPT: &str = "trackers.json";
/// First and last time from a failure to the next trial.
const WAIT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// Named values of an epoch or a result.
type Values = Vec<(String, f64)>;

/// The trackers of a run.
pub(super) struct Trackers {
    all: Vec<Tracked>,
    ended: bool,
}

struct Tracked {
    /// Key in the experiment.
    key: String,
    name: String,
    tracker: Box<dyn Tracker>,
    run: TrackedRun,
    started: bool,
    /// The last epoch that is recorded.
    recorded: i64,
    /// Epochs that are not recorded yet.
    missed: Vec<(i64, Values)>,
    /// Time of the next trial, and the wait after it, behind a failure.
    retry: Option<(Instant, Duration)>,
}

fn built(experiment: &Experiment) -> Result<Vec<(String, Box<dyn Tracker>)>> {
    let one = |(i, component): (usize, &crate::registry::Component<dyn Tracker>)| {
        let key = format!("tracking[{i}]");
        let tracker = component.build(&()).map_err(|e| e.under(&key))?;
        Ok((key, tracker))
    };
    experiment.tracking.iter().enumerate().map(one).collect()
}

/// Checks that every tracker of an experiment can begin a record.
///
/// # Errors
/// [`Error::Config`]: one cannot be built, or its server does not answer.
pub(super) fn check(experiment: &Experiment) -> Result<()> {
    for (key, tracker) in built(experiment)? {
        tracker.check().map_err(|e| refused(e, &key))?;
    }
    Ok(())
}

/// An error of a tracker that ends a new run.
fn refused(error: Error, key: &str) -> Error {
    match error {
        Error::Config(_) => error.under(key),
        // A full disk is no fault of the experiment.
        Error::Io { .. } => error,
        other => Error::config(key, other.to_string())
            .help("leave this tracker out, or start its server first"),
    }
}

impl Trackers {
    /// Begins the records of a run, or goes on with them. `resumed_at` is the first epoch that a
    /// resumed run will end; `None` for a new run.
    ///
    /// # Errors
    /// A tracker cannot begin the record of a new run, or what records keep cannot be written.
    pub fn start(run: &Run, trainer: &Trainer, resumed_at: Option<i64>) -> Result<Self> {
        let experiment = trainer.experiment();
        let kept = run.kept();
        let about = TrackedRun {
            folder: run.path.clone(),
            name: name_of(&run.path),
            resumed_at,
            kept: None,
            parameters: parameters(experiment)?,
        };
        let mut all = Vec::new();
        for (i, (key, tracker)) in built(experiment)?.into_iter().enumerate() {
            let kept = kept.get(i).cloned().flatten();
            let mut tracked = Tracked {
                key,
                name: experiment.tracking[i].name().to_owned(),
                tracker,
                run: TrackedRun { kept, ..about.clone() },
                started: false,
                recorded: 0,
                missed: Vec::new(),
                retry: None,
            };
            match tracked.begin(&trainer.history().epochs) {
                Ok(()) => {}
                Err(e) if resumed_at.is_none() => return Err(refused(e, &tracked.key)),
                Err(e) => {
                    tracked.missed = epochs_after(&trainer.history().epochs, 0);
                    tracked.failed(&e);
                }
            }
            all.push(tracked);
        }
        let trackers = Self { all, ended: false };
        trackers.keep(run)?;
        Ok(trackers)
    }

    /// Writes down what the records keep, if they keep anything.
    fn keep(&self, run: &Run) -> Result<()> {
        let kept: Vec<_> = self.all.iter().map(|tracked| tracked.run.kept.as_ref()).collect();
        if kept.iter().all(Option::is_none) {
            return Ok(());
        }
        let text = serde_json::to_string(&kept).map_err(|e| Error::runtime(e.to_string()))?;
        write_atomically(&run.file(KEPT), |file| file.write_all(text.as_bytes()))
    }

    /// Records an epoch.
    pub fn epoch(&mut self, epoch: &Epoch) {
        let number = epoch.epoch as i64;
        for tracked in &mut self.all {
            // A run that was killed ends the epochs after its last checkpoint a second time.
            if number > tracked.recorded {
                tracked.missed.push((number, values(epoch)));
            }
            tracked.send(false);
        }
    }

    /// Goes back: `epoch` is the next that will end.
    pub fn go_back(&mut self, epoch: i64) {
        for tracked in &mut self.all {
            tracked.missed.retain(|(missed, _)| *missed < epoch);
            tracked.recorded = tracked.recorded.min(epoch - 1);
            if tracked.started
                && let Err(e) = tracked.tracker.go_back(epoch)
            {
                tracked.failed(&e);
            }
        }
    }

    /// Records the metrics and pictures of the finished run, and ends the records.
    ///
    /// # Errors
    /// What records keep cannot be written.
    pub fn finish(mut self, run: &Run, trainer: &Trainer) -> Result<()> {
        let epoch = trainer.history().epochs.last().map_or(0, |epoch| epoch.epoch as i64);
        let metrics = run.metrics();
        let files = report::pictures(&run.path).unwrap_or_default();
        for tracked in &mut self.all {
            tracked.send(true);
            if !tracked.started {
                continue;
            }
            let mut done = tracked.tracker.results(epoch, &metrics);
            for name in &files {
                done = done.and_then(|()| tracked.tracker.file(&run.file(name)));
            }
            if let Err(e) = done {
                tracked.failed(&e);
            }
        }
        self.end(Ending::Finished);
        self.keep(run)
    }

    /// Ends the records of a run that is not finished.
    pub fn interrupt(mut self) {
        for tracked in &mut self.all {
            tracked.send(true);
        }
        self.end(Ending::Interrupted);
    }

    fn end(&mut self, how: Ending) {
        self.ended = true;
        for tracked in &mut self.all {
            if tracked.started
                && let Err(e) = tracked.tracker.end(how)
            {
                tracked.failed(&e);
            }
            if let Some(lost) = tracked.missed.first() {
                log::warn!("{}: the epochs from {} on are not recorded", tracked.name, lost.0);
            }
        }
    }
}

/// A training that ends with an error.
impl Drop for Trackers {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Ending::Failed);
        }
    }
}

impl Tracked {
    /// Begins the record or goes on with it; of `epochs`, those that it lacks are to be recorded.
    fn begin(&mut self, epochs: &[Epoch]) -> Result<()> {
        let record = self.tracker.start(&self.run)?;
        self.started = true;
        self.run.kept = record.keep;
        if let Some(last) = record.last {
            self.recorded = last;
            let known = |epoch: &i64| self.missed.iter().any(|(missed, _)| missed == epoch);
            let mut all = epochs_after(epochs, last);
            all.retain(|(epoch, _)| !known(epoch));
            self.missed.retain(|(epoch, _)| *epoch > last);
            self.missed.extend(all);
            self.missed.sort_by_key(|(epoch, _)| *epoch);
        }
        Ok(())
    }

    /// Records what is missed, unless the next trial is later and this is not the `last` one.
    fn send(&mut self, last: bool) {
        if !last && self.retry.is_some_and(|(at, _)| Instant::now() < at) {
            return;
        }
        if !self.started
            && let Err(e) = self.begin(&[])
        {
            return self.failed(&e);
        }
        while let Some((epoch, values)) = self.missed.first() {
            if let Err(e) = self.tracker.epoch(*epoch, values) {
                return self.failed(&e);
            }
            self.recorded = self.missed.remove(0).0;
        }
        if self.retry.take().is_some() {
            log::info!("{} records the run again", self.name);
        }
    }

    /// Notes a failure; the first of several is told.
    fn failed(&mut self, error: &Error) {
        let wait = match self.retry {
            Some((_, wait)) => (wait * 2).min(WAIT.1),
            None => {
                log::warn!(
                    "{} does not record the run: {error}; the training goes on, and what is missing \
                     is recorded later if it can be",
                    self.name
                );
                WAIT.0
            }
        };
        self.retry = Some((Instant::now() + wait, wait));
    }
}

/// Values of the epochs after the `last` that is recorded.
fn epochs_after(epochs: &[Epoch], last: i64) -> Vec<(i64, Values)> {
    let after = epochs.iter().filter(|epoch| epoch.epoch as i64 > last);
    after.map(|epoch| (epoch.epoch as i64, values(epoch))).collect()
}

/// Loss terms of an epoch and the norm of its gradient, those that were measured.
fn values(epoch: &Epoch) -> Values {
    type Set = (&'static str, fn(&Epoch, LossTerm) -> Option<f64>);
    let sets: [Set; 2] = [("train", Epoch::train_term), ("val", Epoch::val_term)];
    let mut all = Vec::new();
    for (set, value) in sets {
        for term in LossTerm::ALL {
            all.extend(value(epoch, term).map(|value| (format!("{}/{set}", term.name()), value)));
        }
    }
    all.extend(epoch.gradient_norm.map(|norm| ("gradient_norm".to_owned(), norm)));
    all
}

/// Keys of an experiment with their values as texts.
fn parameters(experiment: &Experiment) -> Result<Vec<(String, String)>> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(experiment.keys()?.into_iter().map(|(key, value)| (key, text(value))).collect())
}

/// The last two names of a run folder's path.
fn name_of(path: &Path) -> String {
    let mut names: Vec<_> = path.iter().rev().take(2).map(|name| name.to_string_lossy()).collect();
    names.reverse();
    names.join("/")
}

/// Numbers of nested maps, by their keys with a slash between them.
fn flat(key: &str, value: &Value, all: &mut Values) {
    match value {
        Value::Number(n) => all.extend(n.as_f64().map(|n| (key.to_owned(), n))),
        Value::Object(map) => {
            for (name, inner) in map {
                let key = if key.is_empty() { name.clone() } else { format!("{key}/{name}") };
                flat(&key, inner, all);
            }
        }
        _ => {}
    }
}

impl Run {
    /// Texts that the records of this run have kept.
    fn kept(&self) -> Vec<Option<String>> {
        let text = std::fs::read_to_string(self.file(KEPT));
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// The numbers of `metrics.json`.
    fn metrics(&self) -> Values {
        let text = std::fs::read_to_string(self.file("metrics.json")).unwrap_or_default();
        let mut all = Vec::new();
        flat("", &serde_json::from_str(&text).unwrap_or_default(), &mut all);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Record;
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    /// A tracker that answers only while `up`.
    #[derive(Default)]
    struct Seen {
        up: Cell<bool>,
        epochs: RefCell<Vec<i64>>,
    }

    struct Server(Rc<Seen>);

    impl Tracker for Server {
        fn start(&self, _: &TrackedRun) -> Result<Record> {
            self.epoch(0, &[])?;
            Ok(Record { keep: Some("id".to_owned()), last: Some(1) })
        }

        fn epoch(&self, epoch: i64, _: &[(String, f64)]) -> Result<()> {
            if !self.0.up.get() {
                return Err(Error::runtime("no answer"));
            }
            if epoch > 0 {
                self.0.epochs.borrow_mut().push(epoch);
            }
            Ok(())
        }
    }

    #[test]
    fn only_what_the_experiment_can_change_is_a_fault_of_its_key() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let disk = refused(Error::io("create", Path::new("events"))(full), "tracking[0]");
        assert_eq!(disk.exit_code(), 1, "{disk}");
        assert!(disk.to_string().contains("events"), "{disk}");
        let server = refused(Error::runtime("no answer"), "tracking[0]");
        assert_eq!(server.exit_code(), 2, "{server}");
        assert!(server.to_string().contains("at tracking[0]"), "{server}");
    }

    fn tracked(seen: &Rc<Seen>) -> Trackers {
        let one = Tracked {
            key: "tracking[0]".to_owned(),
            name: "server".to_owned(),
            tracker: Box::new(Server(seen.clone())),
            run: TrackedRun::default(),
            started: false,
            recorded: 0,
            missed: Vec::new(),
            retry: None,
        };
        Trackers { all: vec![one], ended: false }
    }

    fn epoch(epoch: u64) -> Epoch {
        Epoch { epoch, ..Epoch::default() }
    }

    #[test]
    fn what_a_server_missed_is_recorded_when_it_answers_again() {
        let seen = Rc::new(Seen::default());
        let mut trackers = tracked(&seen);
        trackers.epoch(&epoch(1));
        trackers.epoch(&epoch(2));
        assert!(seen.epochs.borrow().is_empty());
        seen.up.set(true);
        // Not before the time of the next trial.
        trackers.epoch(&epoch(3));
        assert!(seen.epochs.borrow().is_empty());
        trackers.all[0].retry = Some((Instant::now(), WAIT.0));
        trackers.epoch(&epoch(4));
        // The record has the first already.
        assert_eq!(*seen.epochs.borrow(), [2, 3, 4]);
        trackers.epoch(&epoch(5));
        assert_eq!(*seen.epochs.borrow(), [2, 3, 4, 5]);
    }

    #[test]
    fn a_last_trial_is_made_at_the_end() {
        let seen = Rc::new(Seen::default());
        let mut trackers = tracked(&seen);
        trackers.epoch(&epoch(2));
        seen.up.set(true);
        trackers.interrupt();
        assert_eq!(*seen.epochs.borrow(), [2]);
    }

    #[test]
    fn metrics_are_numbers_by_their_path() {
        let json = serde_json::json!({ "a": 1, "b": { "c": 2.5, "d": "text", "e": [1] } });
        let mut all = Vec::new();
        flat("", &json, &mut all);
        assert_eq!(all, [("a".to_owned(), 1.0), ("b/c".to_owned(), 2.5)]);
    }
}

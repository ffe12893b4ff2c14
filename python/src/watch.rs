//! Progress and signals while the library is at work.

use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use triflow::run::{Run, RunObserver};
use triflow::train::Event;
use triflow::{Error, Trained, Trainer};

/// Time between two looks at signals.
const SIGNALS: Duration = Duration::from_millis(50);
/// Time between two calls of the progress.
const SHOWN: Duration = Duration::from_millis(100);

/// Shows the progress of a run or of samples, and looks at signals.
#[derive(Debug)]
pub struct Watch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// An object with the methods `start`, `step`, `note` and `rows`; `None` to show nothing.
    progress: Option<Py<PyAny>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The first exception of a signal handler or of the progress.
    caught: Option<PyErr>,
    looked: Instant,
    shown: Instant,
    /// Number of the last epoch, with its losses on the training and the validation rows.
    epoch: Option<(u64, Option<f64>, Option<f64>)>,
}

impl Watch {
    /// A watch that calls methods of `progress`.
    pub fn new(progress: Option<Py<PyAny>>) -> Self {
        let now = Instant::now();
        let state = Mutex::new(State { caught: None, looked: now, shown: now, epoch: None });
        Self(Arc::new(Shared { progress, state }))
    }

    /// Takes the exception that has stopped the work.
    pub fn caught(&self) -> Option<PyErr> {
        self.0.state().caught.take()
    }

    /// Shows the progress of the rows that a model samples.
    pub fn rows(&self, model: &mut Trained, all: i64, what: &'static str) {
        let shared = Arc::clone(&self.0);
        let mut done = 0;
        model.observe_rows(move |rows| {
            done += rows;
            if shared.is_due(done == all) {
                shared.call(|progress, py| progress.call_method1(py, "rows", (done, all, what)));
            }
            match shared.is_stopped() {
                true => Err(Error::Stopped { go_on: None }),
                false => Ok(()),
            }
        });
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the progress is to be shown now.
    fn is_due(&self, always: bool) -> bool {
        let mut state = self.state();
        let due = always || state.shown.elapsed() >= SHOWN;
        if due {
            state.shown = Instant::now();
        }
        due && self.progress.is_some()
    }

    fn call(&self, f: impl FnOnce(&Py<PyAny>, Python<'_>) -> PyResult<Py<PyAny>>) {
        let Some(progress) = &self.progress else { return };
        if let Err(e) = Python::attach(|py| f(progress, py).map(drop)) {
            self.state().caught.get_or_insert(e);
        }
    }

    /// True after Ctrl-C or an exception of the progress.
    fn is_stopped(&self) -> bool {
        {
            let mut state = self.state();
            if state.caught.is_some() || state.looked.elapsed() < SIGNALS {
                return state.caught.is_some();
            }
            state.looked = Instant::now();
        }
        if let Err(e) = Python::attach(|py| py.check_signals()) {
            self.state().caught.get_or_insert(e);
            return true;
        }
        false
    }
}

impl RunObserver for Watch {
    fn start(&mut self, trainer: &Trainer, run: &Run) {
        let epochs = trainer.total_steps().div_ceil(trainer.steps_per_epoch());
        let e = trainer.experiment();
        let what = format!("{} {}", e.objective.name(), e.task_name());
        let path = run.path.clone();
        let (step, total) = (trainer.step(), trainer.total_steps());
        self.0.call(|progress, py| {
            progress.call_method1(py, "start", (what, path, step, total, epochs))
        });
    }

    fn step(&mut self, event: &Event<'_>) {
        if let Some(epoch) = event.epoch {
            let total = |all: &[Option<f64>]| all.first().copied().flatten();
            self.0.state().epoch = Some((epoch.epoch, total(&epoch.train), total(&epoch.val)));
        }
        if !self.0.is_due(event.step == event.total) {
            return;
        }
        let (step, epoch) = (event.step, self.0.state().epoch);
        self.0.call(|progress, py| progress.call_method1(py, "step", (step, epoch)));
    }

    fn stop(&self) -> bool {
        self.0.is_stopped()
    }

    fn note(&mut self, text: &str) {
        self.0.call(|progress, py| progress.call_method1(py, "note", (text,)));
    }

    fn end(&mut self) {
        self.0.call(|progress, py| progress.call_method0(py, "end"));
    }

    fn program(&self) -> serde_json::Value {
        serde_json::json!({ "name": "triflow (Python)", "version": env!("CARGO_PKG_VERSION") })
    }
}

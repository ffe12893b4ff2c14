//! Training.

use crate::errors::run;
use crate::settings::{Layer, experiment, layers, load_plugins};
use crate::watch::Watch;
use pyo3::prelude::*;
use serde_yaml::Value;
use std::path::PathBuf;
use triflow::Error;
use triflow::config::parse_value;
use triflow::run::{self, Run};

/// Trains an experiment into a new run folder, or into `out`, where a run that was begun goes on.
/// Returns the folder.
#[pyfunction]
#[pyo3(signature = (given, out=None, progress=None))]
pub fn train(
    py: Python<'_>,
    given: Vec<Layer>,
    out: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<PathBuf> {
    run(py, &mut Watch::new(progress), |watch| {
        load_plugins()?;
        triflow::memory::keep_freed();
        let (layers, base) = layers(&given)?;
        let experiment = experiment(&layers)?;
        let run = match &out {
            Some(folder) => run::train_into(experiment, &base, folder, watch),
            None => run::train(experiment, &base, watch),
        };
        Ok(run.map_err(|e| layers.locate(e))?.path)
    })
}

/// Continues an unfinished run; with `epochs` or `steps`, trains a finished one further, into a new
/// folder. Returns the folder.
#[pyfunction]
#[pyo3(signature = (path, data_path=None, epochs=None, steps=None, set=Vec::new(), progress=None))]
pub fn resume(
    py: Python<'_>,
    path: PathBuf,
    data_path: Option<PathBuf>,
    epochs: Option<u64>,
    steps: Option<u64>,
    set: Vec<(String, String)>,
    progress: Option<Py<PyAny>>,
) -> PyResult<PathBuf> {
    run(py, &mut Watch::new(progress), |watch| {
        load_plugins()?;
        triflow::memory::keep_freed();
        let run = Run::open(&path)?.with_data_at(data_path.as_deref());
        if epochs.is_none() && steps.is_none() {
            if !set.is_empty() {
                let message = "`set` is for the further training of a finished run";
                return Err(Error::config("", message).help("say how far: epochs or steps"));
            }
            return Ok(run::go_on(run, watch)?.path);
        }
        let mut layers = run.layers()?;
        for (key, value) in &set {
            layers.set(key, parse_value(value)?, "set")?;
        }
        if let Some(epochs) = epochs {
            layers.set("training.epochs", epochs.into(), "epochs")?;
            layers.set("training.steps", Value::Null, "epochs")?;
        } else if let Some(steps) = steps {
            layers.set("training.steps", steps.into(), "steps")?;
        }
        let new = run::extend(&run, layers.finish()?, watch);
        Ok(new.map_err(|e| layers.locate(e))?.path)
    })
}

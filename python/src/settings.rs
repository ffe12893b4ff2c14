//! Settings of an experiment, as a caller gives them.

use crate::errors::{exception, run};
use crate::watch::Watch;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_yaml::Value;
use std::path::{Path, PathBuf};
use triflow::config::{Layers, Task, parse_value};
use triflow::run::Run;
use triflow::{Error, Experiment, Result};

/// A layer of settings: `("file", path, "", "")`, `("text", YAML, place, "")`,
/// `("set", key, place, value in YAML or JSON)`.
pub type Layer = (String, String, String, String);

/// The layers over the defaults, and the folder against which data paths are read.
pub fn layers(given: &[Layer]) -> Result<(Layers, PathBuf)> {
    let (mut layers, mut base) = (Layers::new()?, PathBuf::new());
    for (kind, what, place, value) in given {
        match kind.as_str() {
            "file" => {
                layers.add_file(Path::new(what))?;
                base = Path::new(what).parent().map(Into::into).unwrap_or_default();
            }
            "text" => layers.add_text(what, place)?,
            _ => layers.set(what, parse_value(value).map_err(|e| e.placed(place))?, place)?,
        }
    }
    Ok((layers, base))
}

/// The experiment of layers, of the task that they name, by default generation.
pub fn experiment(layers: &Layers) -> Result<Experiment> {
    let mut experiment = layers.finish()?;
    experiment.task.get_or_insert(Task::Generation);
    Ok(experiment)
}

/// Loads the plugins of the environment.
pub fn load_plugins() -> Result<()> {
    triflow::plugin::load_search_path()
}

/// A value as JSON.
pub fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::runtime(e.to_string()))
}

/// The merged setting at a dotted key as JSON; `None` if there is none.
#[pyfunction]
pub fn setting(py: Python<'_>, given: Vec<Layer>, key: &str) -> PyResult<Option<String>> {
    run(py, &mut Watch::new(None), |_| {
        load_plugins()?;
        let (layers, _) = layers(&given)?;
        layers.get(key).map(json).transpose()
    })
}

/// Name of the data source that reads a file.
#[pyfunction]
pub fn source_of(py: Python<'_>, path: PathBuf) -> PyResult<&'static str> {
    triflow::data::files::source_of(&path).map_err(|e| exception(py, &e))
}

/// The configuration of a run as JSON.
#[pyfunction]
pub fn config_of(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    run(py, &mut Watch::new(None), |_| {
        load_plugins()?;
        let experiment = Run::open(&path)?.experiment()?;
        let value: Value = serde_yaml::from_str(&experiment.to_yaml()?)
            .map_err(|e| Error::runtime(e.to_string()))?;
        json(&value)
    })
}

/// The exception of a value that the package should not have handed over.
pub fn unexpected(what: &str) -> PyErr {
    PyValueError::new_err(format!("unexpected {what}"))
}

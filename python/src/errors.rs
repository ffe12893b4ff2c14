//! Errors of the library as exceptions of the package.

use crate::watch::Watch;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use triflow::Error;

/// Module of the package that defines the exceptions.
const EXCEPTIONS: &str = "triflow._errors";

/// The exception of an error, with the text that the command shows.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    made(py, error).unwrap_or_else(|e| e)
}

fn made(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let keys = PyDict::new(py);
    let name = match error {
        Error::Config(e) => {
            keys.set_item("message", &e.message)?;
            keys.set_item("key", &e.key)?;
            keys.set_item("place", &e.place)?;
            keys.set_item("help", &e.help)?;
            "ConfigError"
        }
        Error::Data { path, .. } => {
            keys.set_item("path", path)?;
            "DataError"
        }
        Error::Interrupted { run } => {
            keys.set_item("run", run)?;
            "Interrupted"
        }
        Error::Stopped { .. } => "Interrupted",
        _ => "Error",
    };
    let class = py.import(EXCEPTIONS)?.getattr(name)?;
    Ok(PyErr::from_value(class.call((error.to_string(),), Some(&keys))?))
}

/// Runs `f` without Python's lock, and turns its error into an exception: what `watch` has caught,
/// unless it is Ctrl-C, whose exception says how to go on.
pub fn run<T: Send>(
    py: Python<'_>,
    watch: &mut Watch,
    f: impl FnOnce(&mut Watch) -> triflow::Result<T> + Send,
) -> PyResult<T> {
    let done = py.detach(|| triflow::registry::guard_engine(|| f(watch)));
    match (done, watch.caught()) {
        (Ok(value), None) => Ok(value),
        (Err(e @ (Error::Interrupted { .. } | Error::Stopped { .. })), Some(caught)) => {
            let is_interrupt = caught.is_instance_of::<pyo3::exceptions::PyKeyboardInterrupt>(py);
            Err(if is_interrupt { exception(py, &e) } else { caught })
        }
        (_, Some(caught)) => Err(caught),
        (Err(e), None) => Err(exception(py, &e)),
    }
}

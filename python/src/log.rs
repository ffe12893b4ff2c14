//! Records of the library's log, as records of the Python logger `triflow`.

use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;

/// Sends the records of the library to Python's `logging`.
pub fn forward() {
    // A second module in the process finds the logger of the first.
    if log::set_logger(&Forward).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

#[derive(Debug)]
struct Forward;

impl Log for Forward {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.level() <= Level::Warn || about.target().starts_with("triflow")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => 40,
            Level::Warn => 30,
            Level::Info => 20,
            Level::Debug | Level::Trace => 10,
        };
        let text = record.args().to_string();
        // While the interpreter ends there is nobody to tell.
        let _ = Python::try_attach(|py| -> PyResult<()> {
            let logger = py.import("logging")?.call_method1("getLogger", ("triflow",))?;
            logger.call_method1("log", (level, "%s", text))?;
            Ok(())
        });
    }

    fn flush(&self) {}
}

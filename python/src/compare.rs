//! Comparisons, which the command trains.

use crate::errors::run;
use crate::settings::{Layer, layers, load_plugins};
use crate::watch::Watch;
use pyo3::prelude::*;
use std::io::Write as _;
use std::path::PathBuf;
use triflow::compare::{self, Plan};
use triflow::error::quoted;
use triflow::io::write_atomically;

/// The file of a comparison's folder that repeats it by the command.
const EXPERIMENT: &str = "experiment.yaml";

/// Plans a comparison into its folder, a new one unless `out` names it. Returns the folder.
#[pyfunction]
#[pyo3(signature = (given, out=None))]
pub fn plan(py: Python<'_>, given: Vec<Layer>, out: Option<PathBuf>) -> PyResult<PathBuf> {
    run(py, &mut Watch::new(None), |_| {
        load_plugins()?;
        let (layers, _) = layers(&given)?;
        let experiment = layers.finish()?;
        let mut plan = Plan::new(&layers, String::new())?;
        let folder = match out {
            Some(folder) => folder,
            None => compare::fresh(&experiment.output_dir.join("compare"), false)?,
        };
        let file = folder.join(EXPERIMENT);
        plan.command = format!("triflow compare --config {}", quoted(&file));
        if !compare::left(&plan, &folder, &|_| true).is_empty() {
            compare::check_data(&plan, &folder)?;
        }
        let _exclusive = compare::lock(&folder)?;
        let text = experiment.to_yaml()?;
        write_atomically(&file, |file| file.write_all(text.as_bytes()))?;
        plan.write(&folder)?;
        Ok(folder)
    })
}

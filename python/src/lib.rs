//! The compiled part of the Python package `triflow`: functions over the library, which the package
//! wraps. What a function does, the command does as well.
//!
//! Layers: `log` `watch`, `errors`, `settings`, `arrays`, `tables`, `compare` `request` `train`.

mod arrays;
mod compare;
mod errors;
mod log;
mod request;
mod settings;
mod tables;
mod train;
mod watch;

use pyo3::prelude::*;

/// The module `triflow._triflow`.
#[pymodule]
fn _triflow(module: &Bound<'_, PyModule>) -> PyResult<()> {
    triflow_plugins::link();
    log::forward();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(train::train, module)?)?;
    module.add_function(wrap_pyfunction!(train::resume, module)?)?;
    module.add_function(wrap_pyfunction!(settings::setting, module)?)?;
    module.add_function(wrap_pyfunction!(settings::source_of, module)?)?;
    module.add_function(wrap_pyfunction!(settings::config_of, module)?)?;
    module.add_function(wrap_pyfunction!(request::generate, module)?)?;
    module.add_function(wrap_pyfunction!(request::predict, module)?)?;
    module.add_function(wrap_pyfunction!(request::start, module)?)?;
    module.add_function(wrap_pyfunction!(request::impute, module)?)?;
    module.add_function(wrap_pyfunction!(request::evaluate, module)?)?;
    module.add_function(wrap_pyfunction!(request::export, module)?)?;
    module.add_function(wrap_pyfunction!(request::has_columns, module)?)?;
    module.add_function(wrap_pyfunction!(tables::write_table, module)?)?;
    module.add_function(wrap_pyfunction!(compare::plan, module)?)?;
    Ok(())
}

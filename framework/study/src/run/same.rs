//! Comparison of a run that was begun with the experiment that is given.

use crate::config::Experiment;
use crate::error::{Error, Result};
use std::path::Path;

/// Checks that every key that `given` sets has the same value in `kept`, with which the run in
/// `path` began.
pub(super) fn check_same(given: &Experiment, kept: &Experiment, path: &Path) -> Result<()> {
    // Those of the machine.
    const FREE: [&str; 4] = ["device", "threads", "output_dir", "plugins"];
    let (given, kept) = (given.keys()?, kept.keys()?);
    let differs = |(key, value): &(&String, &serde_json::Value)| {
        let part = key.split('.').next().unwrap_or_default();
        // What is null is decided at the beginning, and so are the columns of data that names none.
        let open = value.is_null() || part == "data" && value.as_array().is_some_and(Vec::is_empty);
        !open && !FREE.contains(&part) && !kept.get(*key).is_some_and(|kept| is_same(kept, value))
    };
    let Some((key, value)) = given.iter().find(differs) else { return Ok(()) };
    let then = kept.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let message = format!("is {value}, but the run in {} began with {then}", path.display());
    Err(Error::config(key, message)
        .help("choose another --run-dir, or leave the experiment as it was"))
}

/// True for equal values, and for paths of one file that are written differently.
fn is_same(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    let file = |value: &serde_json::Value| std::fs::canonicalize(value.as_str()?).ok();
    one == other || file(one).is_some_and(|path| file(other) == Some(path))
}

//! What can be said of a data file before it is opened.

use std::path::Path;

use crate::{Error, Result, registry};

/// An error if there is no such file, or if no data source reads its format and a line of Python converts it.
pub fn check_input(path: &Path) -> Result<()> {
    if let Some(advice) = super::convert::advice(path)
        && registry().reader("data_source", path).is_err()
    {
        return Err(Error::data(path, advice));
    }
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(Error::data(path, "is a folder, not a file")),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::data(
            path,
            "no such file; a path in an experiment file is relative to that file, one in a flag to the \
             current folder",
        )),
        Err(e) => Err(Error::data(path, format!("cannot be read: {e}"))),
    }
}

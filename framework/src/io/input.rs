//! What can be said of a data file before it is opened.

use std::path::Path;

use crate::{Error, Result};

/// An error if there is no such file, or if it is a pickle, with a line of Python that converts it.
pub fn check_input(path: &Path) -> Result<()> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    if matches!(ending.as_deref(), Some("pkl" | "pickle")) {
        let (old, new) = (path.display(), path.with_extension("npz"));
        return Err(Error::data(
            path,
            format!(
                "pickles are not read, because reading one runs what is in it; convert it once with\n  \
                 python3 -c \"import pickle, numpy as np; d = pickle.load(open('{old}', 'rb')); \
                 np.savez('{}', x=d['x'], y=d['y'])\"",
                new.display()
            ),
        ));
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

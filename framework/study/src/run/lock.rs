//! The lock of a run folder, in which one process works at a time, and the removal of what a killed
//! one left there.

use crate::error::{Error, Result};
use crate::io::remove_abandoned;
use crate::lock::{self, Holder, OF_FOLDER, Taken};
use std::path::Path;

/// Exclusive use of a run folder, until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: lock::Lock,
}

impl Lock {
    /// Locks the folder `run`, and removes unfinished files of a killed process in it.
    ///
    /// # Errors
    /// If another process works in the folder, or the file `.lock` cannot be made.
    pub(super) fn take(run: &Path) -> Result<Self> {
        match lock::Lock::take(&run.join(OF_FOLDER))? {
            Taken::Elsewhere(holder) => Err(in_use(run, holder.as_ref())),
            Taken::Here(file) => {
                remove_abandoned(run);
                remove_abandoned(&run.join("checkpoints"));
                Ok(Self { _file: file })
            }
        }
    }
}

fn in_use(run: &Path, holder: Option<&Holder>) -> Error {
    let (path, lock) = (run.display(), run.join(OF_FOLDER));
    let by = holder.map_or_else(|| "another process".to_owned(), ToString::to_string);
    Error::runtime(format!(
        "{path} is in use by {by}\n  help: wait for it or stop it; if it is certain that it has ended, \
         remove {}",
        lock.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_free_when_it_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        let by = format!("is in use by process {} on ", std::process::id());
        assert!(error.contains(&by) && error.contains("help: wait for it or stop it"), "{error}");
        drop(lock);
        assert!(!folder.path().join(OF_FOLDER).exists());
        assert!(Lock::take(folder.path()).is_ok());
    }
}

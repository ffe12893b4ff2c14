//! The lock of a run folder, in which one process works at a time, and the removal of what a killed
//! one left there.

use crate::error::{Error, Result};
use crate::lock::{self, Holder, OF_FOLDER, Taken};
use std::path::Path;

/// Extensions of the files that a run writes.
const ENDINGS: [&str; 7] = ["csv", "json", "lock", "npz", "png", "safetensors", "yaml"];

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
                sweep(run);
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

/// Removes temporary files of this program from a locked run folder.
fn sweep(run: &Path) {
    for folder in [run.to_owned(), run.join("checkpoints")] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let ours = entry.file_name().to_str().is_some_and(is_temporary);
            if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                match std::fs::remove_file(entry.path()) {
                    Ok(()) => log::info!("removed {}, half written", entry.path().display()),
                    Err(e) => log::warn!("cannot remove {}: {e}", entry.path().display()),
                }
            }
        }
    }
}

/// `true` if a name is that of a run's file while [`crate::io::write_atomically`] writes it.
fn is_temporary(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    let Some((file, random)) = inner.and_then(|inner| inner.rsplit_once('.')) else { return false };
    let ending = file.rsplit('.').next().unwrap_or_default();
    random.len() == 6
        && random.chars().all(|c| c.is_ascii_alphanumeric())
        && ENDINGS.contains(&ending)
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

    #[test]
    fn what_a_killed_save_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("checkpoints")).unwrap();
        let left = [
            ".params.safetensors.aB3xY9.tmp",
            ".loss_trends.png.AAAAAA.tmp",
            "checkpoints/.step_000000020.safetensors.123456.tmp",
            ".lock.aB3xY9.tmp",
        ];
        let others = [
            "notes.tmp",
            ".notes.tmp",
            ".mine.txt.aB3xY9.tmp",
            ".params.safetensors.aB3xY.tmp",
            "params.safetensors.aB3xY9.tmp",
            ".params.safetensors.aB3xY9.tmp.gz",
        ];
        for name in left.iter().chain(&others) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let _lock = Lock::take(folder.path()).unwrap();
        assert!(left.iter().all(|name| !folder.path().join(name).exists()));
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
    }

    #[test]
    fn a_file_that_is_half_written_has_such_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        crate::io::write_atomically(&folder.path().join("a.png"), |_| {
            assert!(names().iter().all(|name| is_temporary(name)) && names().len() == 1);
            Ok(())
        })
        .unwrap();
    }
}

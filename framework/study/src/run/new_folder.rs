//! The folder of a new run, named by the time.

use crate::config::Experiment;
use crate::error::{Error, Result};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// The local time as a folder's name, `YYYYMMDD_HHMM`.
pub fn stamp() -> String {
    chrono::Local::now().format("%Y%m%d_%H%M").to_string()
}

/// Makes the folder `{output_dir}/{objective}_{task}/{YYYYMMDD_HHMM}`, with seconds or a number
/// added if that exists.
///
/// # Errors
/// [`Error::Config`] of `output_dir`; [`Error::Io`] where the disk is full or fails.
pub(super) fn make(experiment: &Experiment) -> Result<PathBuf> {
    let parent = experiment.output_dir.join(format!(
        "{}_{}",
        experiment.objective.name(),
        experiment.task_name()
    ));
    std::fs::create_dir_all(&parent).map_err(|e| not_made(&parent, e))?;
    let names = [stamp(), chrono::Local::now().format("%Y%m%d_%H%M%S").to_string()];
    let numbered = (2..1000).map(|i| format!("{}_{i}", names[1]));
    for name in names.iter().cloned().chain(numbered) {
        let path = parent.join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(not_made(&path, e)),
        }
    }
    Err(Error::runtime(format!("no free name in {}", parent.display())))
}

/// The error of a folder below `output_dir`. A full or failing disk is no fault of that key.
fn not_made(path: &Path, e: std::io::Error) -> Error {
    let disk = matches!(Errno::from_io_error(&e), Some(Errno::NOSPC | Errno::DQUOT | Errno::IO));
    let e = Error::io("make the folder", path)(e);
    if disk { e } else { Error::config("output_dir", e.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_is_no_fault_of_the_experiment() {
        let code = |errno: Errno| not_made(Path::new("runs/a"), errno.into()).exit_code();
        for disk in [Errno::NOSPC, Errno::DQUOT, Errno::IO] {
            assert_eq!(code(disk), 1, "{disk}");
        }
        for place in [Errno::ACCESS, Errno::NOTDIR, Errno::NOENT, Errno::ROFS, Errno::NAMETOOLONG] {
            assert_eq!(code(place), 2, "{place}");
        }
    }
}

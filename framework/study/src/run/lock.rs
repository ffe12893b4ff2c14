//! The lock of a run folder, in which one process works at a time. The file `.lock` names the
//! process and is locked with the system while it lives, so that the lock of a killed process is
//! recognised and taken over.

use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The file of the lock.
pub(super) const NAME: &str = ".lock";

/// Extensions of the files that a run writes.
const ENDINGS: [&str; 6] = ["csv", "json", "npz", "png", "safetensors", "yaml"];

/// Exclusive use of a run folder, until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

/// The process that holds a lock.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    host: String,
    pid: u32,
    /// Start of the process, in clock ticks since the system booted.
    started: Option<u64>,
    /// Id of that boot of the system.
    boot: Option<String>,
    /// Local time at which it took the lock.
    since: String,
}

impl Lock {
    /// Locks the folder `run`, and removes unfinished files of a killed process in it.
    ///
    /// # Errors
    /// If another process works in the folder, or the file `.lock` cannot be opened, locked or
    /// written.
    pub(super) fn take(run: &Path) -> Result<Self> {
        let path = run.join(NAME);
        let mut lock = loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path).map_err(Error::io("open", &path))?;
            let supported = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => true,
                Err(Errno::AGAIN) => return Err(in_use(run, Holder::of(&file))),
                // On a file system without locks, the process is looked up by its id.
                Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOLCK) => false,
                Err(e) => return Err(Error::io("lock", &path)(e.into())),
            };
            if let Some(holder) = Holder::of(&file).filter(|holder| holder.lives(supported)) {
                return Err(in_use(run, Some(holder)));
            }
            let lock = Self { path: path.clone(), file };
            // Another process may have removed the file after it was opened here and before it was
            // locked.
            if lock.is_in_place() {
                break lock;
            }
        };
        let holder = Holder::this();
        let text = serde_json::to_string(&holder).map_err(|e| Error::runtime(e.to_string()))?;
        let mut write = || {
            lock.file.set_len(0)?;
            lock.file.write_all(text.as_bytes())
        };
        write().map_err(Error::io("write", &path))?;
        sweep(run);
        Ok(lock)
    }

    /// `true` if the locked file is still the one at its path.
    fn is_in_place(&self) -> bool {
        let id = |file: Metadata| (file.dev(), file.ino());
        let (own, there) = (self.file.metadata(), std::fs::metadata(&self.path));
        own.map(id).ok().is_some_and(|own| there.map(id).ok() == Some(own))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_in_place() {
            // If this fails, the next process recognises the lock as stale.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn in_use(run: &Path, holder: Option<Holder>) -> Error {
    let (path, lock) = (run.display(), run.join(NAME));
    let by = holder.map_or_else(
        || "another process".to_owned(),
        |h| format!("process {} on {} since {}", h.pid, h.host, h.since),
    );
    Error::runtime(format!(
        "{path} is in use by {by}\n  help: wait for it or stop it; if it is certain that it has ended, \
         remove {}",
        lock.display()
    ))
}

impl Holder {
    fn this() -> Self {
        let pid = std::process::id();
        let since = chrono::Local::now().format("%Y-%m-%d %H:%M:%S").to_string();
        Self { host: host(), pid, started: started(pid), boot: boot(), since }
    }

    /// The holder that a lock's file names; `None` if the file is still empty.
    fn of(mut file: &File) -> Option<Self> {
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        std::io::Seek::rewind(&mut file).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// `true` if the process may still be at work although its lock was obtained. `supported`: the
    /// file system has locks.
    fn lives(&self, supported: bool) -> bool {
        let this_system = self.boot.is_some() && self.boot == boot();
        if this_system {
            return !supported && self.started.is_some() && started(self.pid) == self.started;
        }
        // No process survives a reboot of this host; one of another host may live.
        self.host != host()
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn started(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The 22nd field. The second is the name, in brackets, and may contain any characters.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
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
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
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
        let by = format!("is in use by process {} on {} since 2", std::process::id(), host());
        assert!(error.contains(&by) && error.contains("help: wait for it or stop it"), "{error}");
        drop(lock);
        assert!(!folder.path().join(NAME).exists());
        assert!(Lock::take(folder.path()).is_ok());
    }

    #[test]
    fn what_a_killed_process_left_is_taken_over_and_another_machines_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let left = |change: &dyn Fn(&mut Holder)| {
            let mut holder = Holder::this();
            change(&mut holder);
            std::fs::write(&path, serde_json::to_string(&holder).unwrap()).unwrap();
            Lock::take(folder.path()).map(drop).map_err(|e| e.to_string())
        };
        assert_eq!(left(&|h| h.pid = 1), Ok(()));
        assert_eq!(left(&|h| h.boot = Some("before".into())), Ok(()));
        // A restarted container has another host name on the same system.
        assert_eq!(left(&|h| h.host = "container".into()), Ok(()));
        let elsewhere = left(&|h| (h.host, h.boot) = ("other".into(), Some("other".into())));
        assert!(elsewhere.unwrap_err().contains("on other since"), "{path:?}");
        std::fs::write(&path, "").unwrap();
        assert!(Lock::take(folder.path()).is_ok());
    }

    #[test]
    fn without_locks_of_the_file_system_a_process_is_known_by_its_number_and_start() {
        let mut holder = Holder::this();
        assert!(holder.lives(false) && !holder.lives(true));
        holder.started = holder.started.map(|ticks| ticks + 1);
        assert!(!holder.lives(false));
        holder = Holder { pid: u32::MAX, ..Holder::this() };
        assert!(!holder.lives(false));
    }

    #[test]
    fn what_a_killed_save_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("checkpoints")).unwrap();
        let left = [
            ".params.safetensors.aB3xY9.tmp",
            ".loss_trends.png.AAAAAA.tmp",
            "checkpoints/.step_000000020.safetensors.123456.tmp",
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

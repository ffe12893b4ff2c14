//! Locks of files that several processes and machines may work on: a lock is a file that names its
//! holder. It appears with its whole content or not at all, its holder renews its time while it
//! lives, and the lock of a holder that has ended is recognised and taken over.

mod holder;
mod release;

pub use self::holder::{Holder, STALE_SECONDS};
pub use self::release::release_all;

use self::holder::Sign;
use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, UTIME_NOW, flock, futimens};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// The file of the lock of a folder as a whole: of a run, or of the plan and report of a
/// comparison.
pub const OF_FOLDER: &str = ".lock";

/// Time between two renewals of a lock's file.
const BEAT: Duration = Duration::from_secs(30);

/// Age from which on a lock that names no holder counts as left by a killed process.
const UNNAMED: Duration = Duration::from_secs(10);

/// Time between two attempts to take a lock that another process holds.
const PAUSE: Duration = Duration::from_millis(50);
/// Number of attempts before the wait is told.
const PATIENCE: u64 = 20;

/// Attempts to take over what other processes try to take over at the same time.
const ATTEMPTS: usize = 100;

/// Exclusive use of what a file stands for, until this is dropped.
#[derive(Debug)]
pub struct Lock {
    held: Arc<Held>,
    /// Dropped to end the thread that renews the file.
    _beat: mpsc::Sender<()>,
}

/// The file of a lock that is held.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// Its content, which no other lock has.
    text: String,
    /// Locked with the system, where that has locks.
    file: File,
    lost: AtomicBool,
}

/// The outcome of an attempt to take a lock.
#[derive(Debug)]
pub enum Taken {
    /// The lock is this process's.
    Here(Lock),
    /// Another process holds it; `None` if its file does not say which.
    Elsewhere(Option<Holder>),
}

impl Lock {
    /// Takes the lock whose file is `path`, unless another process holds it. The folder must exist.
    ///
    /// # Errors
    /// If a file cannot be made, read, locked or removed.
    pub fn take(path: &Path) -> Result<Taken> {
        for _ in 0..ATTEMPTS {
            if let Some(held) = release::remembered(|| create(path, hard_link))? {
                return Ok(Taken::Here(Self::beating(held)));
            }
            let Some(found) = Found::at(path)? else { continue };
            if found.lives() {
                return Ok(Taken::Elsewhere(found.holder));
            }
            found.remove()?;
        }
        Ok(Taken::Elsewhere(None))
    }

    /// Waits until the lock can be taken, and takes it.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn wait(path: &Path) -> Result<Self> {
        let mut attempts = 0_u64;
        loop {
            match Self::take(path)? {
                Taken::Here(lock) => return Ok(lock),
                Taken::Elsewhere(Some(holder)) if attempts == PATIENCE => {
                    log::info!("waiting for {}, which is held by {holder}", path.display());
                }
                Taken::Elsewhere(_) => {}
            }
            attempts += 1;
            std::thread::sleep(PAUSE);
        }
    }

    /// The holder of the lock whose file is `path`, if a process holds it that lives as far as is
    /// known; the inner `None` if its file does not say which.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn holder(path: &Path) -> Result<Option<Option<Holder>>> {
        Ok(Found::at(path)?.filter(Found::lives).map(|found| found.holder))
    }

    /// `true` if the file was removed or another process took the lock over, as it does after the
    /// holder did not renew it for [`STALE_SECONDS`].
    pub fn is_lost(&self) -> bool {
        self.held.lost.load(Ordering::SeqCst)
    }

    fn beating(held: Arc<Held>) -> Self {
        let (beat, ended) = mpsc::channel();
        let own = Arc::clone(&held);
        let renew = move || {
            while ended.recv_timeout(BEAT) == Err(mpsc::RecvTimeoutError::Timeout) && own.renew() {}
        };
        if let Err(e) = std::thread::Builder::new().spawn(renew) {
            log::warn!("no thread to renew {}: {e}", held.path.display());
        }
        Self { held, _beat: beat }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.held.remove();
    }
}

impl Held {
    /// Gives the file the present time of its file system; `false` if it is lost.
    fn renew(&self) -> bool {
        if !self.is_in_place() {
            self.lost.store(true, Ordering::SeqCst);
            log::warn!("{} was removed or taken over by another process", self.path.display());
            return false;
        }
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let now = rustix::fs::Timestamps { last_access: now, last_modification: now };
        if let Err(e) = futimens(&self.file, &now) {
            log::debug!("cannot renew {}: {e}", self.path.display());
        }
        true
    }

    /// `false` if the file at the path is gone or another one. It counts as the same while it
    /// cannot be read.
    fn is_in_place(&self) -> bool {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => text == self.text,
            Err(e) => e.kind() != ErrorKind::NotFound,
        }
    }

    fn remove(&self) {
        if self.is_in_place() {
            // If this fails, the next process recognises the lock as stale.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A lock's file as it was found.
struct Found {
    path: PathBuf,
    file: File,
    text: String,
    holder: Option<Holder>,
    sign: Sign,
    /// Time of its last renewal, by the clock of its file system.
    renewed: SystemTime,
}

impl Found {
    /// `None` if there is no file.
    fn at(path: &Path) -> Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if is_gone(&e) => return Ok(None),
            Err(e) => return Err(Error::io("open", path)(e)),
        };
        // A shared lock, as several processes may look at once.
        let sign = match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                let _ = flock(&file, FlockOperation::Unlock);
                Sign::Free
            }
            Err(Errno::AGAIN) => Sign::Locked,
            Err(_) => Sign::Unknown,
        };
        let mut bytes = Vec::new();
        let read = file.read_to_end(&mut bytes).and_then(|_| file.metadata()?.modified());
        let renewed = match read {
            Ok(time) => time,
            Err(e) if is_gone(&e) => return Ok(None),
            Err(e) => return Err(Error::io("read", path)(e)),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let holder = serde_json::from_str(&text).ok();
        Ok(Some(Self { path: path.to_owned(), file, text, holder, sign, renewed }))
    }

    /// `false` if the holder has certainly ended, or did not renew the file for so long that it
    /// counts as ended.
    fn lives(&self) -> bool {
        let age = || now(&self.path).duration_since(self.renewed).unwrap_or_default();
        match &self.holder {
            Some(holder) => holder.lives(self.sign, &age),
            // Without hard links the file is empty until its content is written.
            None => self.sign == Sign::Locked || age() < UNNAMED,
        }
    }

    /// Removes the file. If another process has put its own there meanwhile, that one stays.
    fn remove(&self) -> Result<()> {
        let Self { path, text, file, .. } = self;
        // Of the processes of one machine, one at a time removes it.
        if flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::AGAIN) {
            std::thread::sleep(Duration::from_millis(1));
            return Ok(());
        }
        if !std::fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes) == **text) {
            return Ok(());
        }
        let away = temporary(path).map_err(Error::io("remove", path))?;
        match std::fs::rename(path, away.path()) {
            Ok(()) => {}
            Err(e) if is_gone(&e) => return Ok(()),
            Err(e) => return Err(Error::io("remove", path)(e)),
        }
        // Of processes on several machines, one moves it away. What a later one moves is not the
        // file that it judged.
        if !std::fs::read(away.path()).is_ok_and(|b| String::from_utf8_lossy(&b) == **text) {
            let _ = std::fs::hard_link(away.path(), path);
        }
        Ok(())
    }
}

fn is_gone(e: &std::io::Error) -> bool {
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::StaleNetworkFileHandle)
}

/// The present time of the file system of `path`, whose clock may differ from this machine's.
fn now(path: &Path) -> SystemTime {
    let made = temporary(path).and_then(|file| file.as_file().metadata()?.modified());
    made.unwrap_or_else(|_| SystemTime::now())
}

/// A new file beside `path`, removed when it is dropped.
fn temporary(path: &Path) -> std::io::Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{}.", name.trim_start_matches('.'));
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Other users of the folder may read who holds the lock.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    builder.tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
}

type Link = fn(&Path, &Path) -> std::io::Result<()>;

fn hard_link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to)
}

/// Makes the lock's file at once with its content; `None` if there is one already.
fn create(path: &Path, link: Link) -> Result<Option<Held>> {
    let text = serde_json::to_string(&Holder::this()).map_err(|e| Error::runtime(e.to_string()))?;
    let bad = |e| Error::io("write", path)(e);
    let mut made = temporary(path).map_err(bad)?;
    made.write_all(text.as_bytes()).map_err(bad)?;
    lock(made.as_file());
    let (file, name) = made.into_parts();
    let file = match link(&name, path) {
        Ok(()) => file,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            // A file server may say so of its own work, if its first answer was lost.
            if !std::fs::read_to_string(path).is_ok_and(|there| there == text) {
                return Ok(None);
            }
            file
        }
        // Another process removed the temporary file, as a run does with those of killed ones.
        Err(e) if is_gone(&e) && !name.exists() => return Ok(None),
        // There are no hard links here.
        Err(_) => {
            let mut options = OpenOptions::new();
            let mut file = match options.read(true).write(true).create_new(true).open(path) {
                Ok(file) => file,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(None),
                Err(e) => return Err(bad(e)),
            };
            lock(&file);
            file.write_all(text.as_bytes()).map_err(bad)?;
            file
        }
    };
    Ok(Some(Held { path: path.to_owned(), text, file, lost: AtomicBool::new(false) }))
}

/// Locks a file with the system while this process lives, where the file system can.
fn lock(file: &File) {
    while flock(file, FlockOperation::LockExclusive) == Err(Errno::INTR) {}
}

#[cfg(test)]
mod tests;

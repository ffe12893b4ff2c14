//! Files that are written whole or not at all. The new content goes to a temporary file in the same
//! folder, is synchronised to disk, and only then takes the name, so that after a crash at any
//! moment there is the old file or the new one.

use std::fs::{DirEntry, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use crate::{Error, Result};
use rustix::fs::{FlockOperation, flock};

/// Extensions of the files that are written so.
const ENDINGS: [&str; 10] =
    ["csv", "html", "json", "lock", "md", "npz", "png", "safetensors", "tex", "yaml"];

/// Age from which on a temporary file that no process has locked is one of a killed process: it is
/// locked right after it is made.
const ABANDONED: Duration = Duration::from_millis(100);

/// Calls `write` with a temporary file and puts it in place of `path`, which keeps its old content
/// if anything fails. The folder must exist; a symbolic link is replaced, not followed.
///
/// # Errors
/// [`Error::Io`]: `write` fails, or the file cannot be made, synchronised to disk or renamed.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> Result<()> {
    replace(path, write).map_err(Error::io("write", path))
}

/// Writes as [`write_atomically`] does, where more than the file can fail.
///
/// # Errors
/// Those of [`write_atomically`] and `write`.
pub(crate) fn write_made(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<()>,
) -> Result<()> {
    let mut failed = None;
    let done = write_atomically(path, |file| {
        write(file).map_err(|e| {
            failed = Some(e);
            std::io::Error::other("")
        })
    });
    failed.map_or(done, Err)
}

/// Checks that the disk of a file that is to be written has `bytes` left. `what` names the content.
///
/// # Errors
/// [`Error::Runtime`] with both numbers where it has fewer.
pub fn check_space(path: &Path, what: &str, bytes: u64) -> Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let Ok(disk) = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if bytes <= free {
        return Ok(());
    }
    let message = format!("{what} needs {bytes} bytes of disk or more, and {free} are free");
    Err(Error::runtime(message))
}

fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if path.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{}.", name.to_string_lossy());
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Permissions of any new file; by default a temporary file is its owner's alone.
        let mode = std::fs::metadata(path).map_or(0o666, |old| old.permissions().mode() & 0o777);
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    // Removed when dropped, so also if anything below fails.
    let temporary = builder.tempfile_in(folder)?;
    // Other processes see that it is being written. Not every file system can lock.
    let _ = flock(temporary.as_file(), FlockOperation::NonBlockingLockExclusive);
    let mut file = BufWriter::with_capacity(1 << 16, temporary.as_file());
    write(&mut file)?;
    file.flush()?;
    drop(file);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|e| e.error)?;
    sync_folder(folder)
}

/// Removes the temporary files that killed processes left in `folder`; those that are being written
/// stay.
pub fn remove_abandoned(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_temporary) && is_abandoned(&entry) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => log::info!("removed {}, half written", entry.path().display()),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => log::warn!("cannot remove {}: {e}", entry.path().display()),
            }
        }
    }
}

/// `true` if a name is that of a file while it is written.
fn is_temporary(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    let Some((file, random)) = inner.and_then(|inner| inner.rsplit_once('.')) else { return false };
    let ending = file.rsplit('.').next().unwrap_or_default();
    random.len() == 6
        && random.chars().all(|c| c.is_ascii_alphanumeric())
        && ENDINGS.contains(&ending)
}

fn is_abandoned(entry: &DirEntry) -> bool {
    let Ok(about) = entry.metadata() else { return false };
    let age = about.modified().ok().and_then(|time| time.elapsed().ok());
    about.is_file()
        && age.is_some_and(|age| age > ABANDONED)
        && File::open(entry.path())
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_ok())
}

/// Synchronises a folder to disk, so that the new name survives a crash. File systems that cannot
/// do this for folders are no error.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["first", "2nd"] {
            write_atomically(&path, |file| file.write_all(text.as_bytes())).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn the_old_content_stays_if_writing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "old").unwrap();
        let message = write_atomically(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(std::io::Error::other("the disk is full"))
        });
        let message = message.unwrap_err().to_string();
        assert!(
            message.contains("cannot write") && message.contains("the disk is full"),
            "{message}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn the_old_content_is_there_while_the_new_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "old").unwrap();
        write_atomically(&path, |file| {
            file.write_all(b"new")?;
            file.flush()?;
            assert_eq!(std::fs::read_to_string(&path)?, "old");
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let left = [
            ".params.safetensors.aB3xY9.tmp",
            ".loss_trends.png.AAAAAA.tmp",
            ".step_000000020.safetensors.123456.tmp",
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
        std::thread::sleep(2 * ABANDONED);
        write_atomically(&folder.path().join("a.png"), |_| {
            std::thread::sleep(2 * ABANDONED);
            remove_abandoned(folder.path());
            let found = names(folder.path());
            // The file that is being written has such a name too, and stays.
            assert_eq!(found.iter().filter(|name| is_temporary(name)).count(), 1, "{found:?}");
            assert!(others.iter().all(|name| found.iter().any(|there| there == name)));
            Ok(())
        })
        .unwrap();
        assert_eq!(names(folder.path()).len(), others.len() + 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_any_file_or_of_the_old_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (plain, path) = (folder.path().join("plain"), folder.path().join("a"));
        std::fs::write(&plain, "").unwrap();
        write_atomically(&path, |_| Ok(())).unwrap();
        assert_eq!(mode(&path), mode(&plain));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        write_atomically(&path, |_| Ok(())).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_missing_folder_and_a_folder_in_the_way_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_atomically(&folder.path().join("no/such"), |_| Ok(())).is_err());
        assert!(write_atomically(folder.path(), |_| Ok(())).is_err());
        assert!(write_atomically(Path::new("/"), |_| Ok(())).is_err());
    }
}

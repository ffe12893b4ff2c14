//! What can be said of a data file before it is opened.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result, memory, registry};

/// An error if there is no such file, or if no data source reads its format and a line of Python converts it.
pub fn check_input(path: &Path) -> Result<()> {
    if let Some(advice) = super::convert::advice(path)
        && registry().reader("data_source", path).is_err()
    {
        return Err(Error::data(path, advice));
    }
    match std::fs::metadata(path) {
        Ok(found) => regular(path, &found),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::data(
            path,
            "no such file; a path in an experiment file is relative to that file, one in a flag to the \
             current folder",
        )),
        Err(e) => Err(Error::data(path, format!("cannot be read: {e}"))),
    }
}

/// Opens a file to read it, and says how long it is. A pipe or a device, which could be waited for or read for
/// ever, is refused before it is opened.
///
/// # Errors
/// What is no regular file after links are followed.
pub fn open_regular(path: &Path) -> Result<(File, u64)> {
    let unreadable = |e: std::io::Error| Error::data(path, format!("cannot be read: {e}"));
    regular(path, &std::fs::metadata(path).map_err(unreadable)?)?;
    let file = File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    regular(path, &found)?;
    Ok((file, found.len()))
}

/// All bytes of a regular file.
///
/// # Errors
/// As [`open_regular`], and a file that does not fit into memory.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let (file, length) = open_regular(path)?;
    memory::check_file(path, "", length)?;
    read_to_end(path, file)
}

/// Bytes of a file that come from `reader` as it unpacks them, as many as there are.
///
/// # Errors
/// More than fit into memory.
pub fn read_to_end(path: &Path, mut reader: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        // A vector that grows is copied into one of twice the length.
        memory::check_file(path, "", 2 * bytes.len() as u64)?;
        let some = reader.by_ref().take(PIECE).read_to_end(&mut bytes);
        let some = some.map_err(|e| Error::data(path, format!("cannot be read: {e}")))?;
        if (some as u64) < PIECE {
            return Ok(bytes);
        }
    }
}

/// Bytes that are read before it is looked whether there is memory for more.
const PIECE: u64 = 64 << 20;

fn regular(path: &Path, found: &std::fs::Metadata) -> Result<()> {
    match found {
        found if found.is_file() => Ok(()),
        found if found.is_dir() => Err(Error::data(path, "is a folder, not a file")),
        _ => Err(Error::data(
            path,
            "is no regular file but a pipe, a socket or a device; write its content into a file first",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, link) = (folder.path().join("pipe.csv"), folder.path().join("link.csv"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        let zero = Path::new("/dev/zero");
        for (path, why) in [
            (pipe.as_path(), "is no regular file"),
            (&link, "is no regular file"),
            (zero, "is no regular file"),
            (folder.path(), "is a folder"),
        ] {
            for told in [open_regular(path).map(|_| ()), check_input(path)] {
                let told = told.unwrap_err().to_string();
                assert!(told.contains(why), "{told}");
            }
        }
        let file = folder.path().join("a.csv");
        std::fs::write(&file, "1,2\n").unwrap();
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(open_regular(&link).unwrap().1, 4);
    }
}

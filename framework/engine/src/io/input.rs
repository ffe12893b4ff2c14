//! Checks of a data file before its content is parsed, and reading within memory.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result, memory, registry};

/// Checks that `path` is a regular file in a format that some data source reads.
///
/// # Errors
/// [`Error::Data`]: there is no such file, it cannot be read, it is a folder, a pipe or a device,
/// or no data source reads its format; where a line of Python converts it, the message shows that
/// line.
pub fn check_input(path: &Path) -> Result<()> {
    if let Some(advice) = super::convert::advice(path)
        && registry().reader("data_source", path).is_err()
    {
        return Err(Error::data(path, advice));
    }
    match std::fs::metadata(path) {
        Ok(metadata) => check_regular(path, &metadata),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::data(
            path,
            "no such file; a path in an experiment file is relative to that file, \
             one in a flag to the current folder",
        )),
        Err(e) => Err(Error::data(path, format!("cannot be read: {e}"))),
    }
}

/// Opens a file for reading and returns it with its length in bytes. A pipe or a device, which
/// might block or never end, is refused before it is opened.
///
/// # Errors
/// [`Error::Data`]: the path, after links are followed, is no regular file, or it cannot be opened.
pub fn open_regular(path: &Path) -> Result<(File, u64)> {
    let unreadable = |e: std::io::Error| Error::data(path, format!("cannot be read: {e}"));
    check_regular(path, &std::fs::metadata(path).map_err(unreadable)?)?;
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    check_regular(path, &metadata)?;
    Ok((file, metadata.len()))
}

/// Returns all bytes of a regular file.
///
/// # Errors
/// [`Error::Data`]: those of [`open_regular`], or the file does not fit into memory.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let (file, length) = open_regular(path)?;
    memory::check_file(path, "", length)?;
    read_to_end(path, file)
}

/// Returns all bytes that `reader` yields, for a file whose unpacked length is not known
/// beforehand. `path` is for messages.
///
/// # Errors
/// [`Error::Data`]: `reader` fails, or yields more bytes than fit into memory.
pub fn read_to_end(path: &Path, mut reader: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        // A growing vector is copied into one of twice its length.
        memory::check_file(path, "", 2 * bytes.len() as u64)?;
        let some = reader.by_ref().take(PIECE).read_to_end(&mut bytes);
        let some = some.map_err(|e| Error::data(path, format!("cannot be read: {e}")))?;
        if (some as u64) < PIECE {
            return Ok(bytes);
        }
    }
}

/// Bytes that are read between two checks of the free memory.
const PIECE: u64 = 64 << 20;

fn check_regular(path: &Path, metadata: &std::fs::Metadata) -> Result<()> {
    match metadata {
        metadata if metadata.is_file() => Ok(()),
        metadata if metadata.is_dir() => Err(Error::data(path, "is a folder, not a file")),
        _ => Err(Error::data(
            path,
            "is no regular file but a pipe, a socket or a device; \
             write its content into a file first",
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
            for result in [open_regular(path).map(|_| ()), check_input(path)] {
                let message = result.unwrap_err().to_string();
                assert!(message.contains(why), "{message}");
            }
        }
        let file = folder.path().join("a.csv");
        std::fs::write(&file, "1,2\n").unwrap();
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(open_regular(&link).unwrap().1, 4);
    }
}

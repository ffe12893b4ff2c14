//! Limits on what compressed data may unpack to: a file of a few bytes can be made that unpacks to
//! more than any machine holds, and real data never do.

use std::io::{Error as IoError, ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::{Error, Result};

/// Largest ratio of unpacked to packed bytes: tables reach some 3 to 20, images and floats less.
const MAX_RATIO: u64 = 200;
/// Unpacked bytes that are allowed whatever the ratio: what is made of them takes several times as
/// many, and stays below 64 MiB.
const ALWAYS_ALLOWED: u64 = 4 << 20;
/// Bytes of the cells of a table that are allowed whatever the ratio.
const CELLS_ALWAYS_ALLOWED: u64 = 16 << 20;

/// Checks that `unpacked`, the number of bytes that a header claims for `packed` bytes, is one that
/// real data can have. `what` begins the message, such as "array `x` ".
///
/// # Errors
/// [`Error::Data`], which names both numbers.
pub(super) fn check_unpacked(path: &Path, what: &str, packed: u64, unpacked: u64) -> Result<()> {
    if unpacked <= max_unpacked(packed) {
        return Ok(());
    }
    let message = format!("{what}unpacks from {packed} to {unpacked} bytes, {}", excess());
    Err(Error::data(path, message))
}

/// Checks that a table in a file of `length` bytes may have so many cells, each of which takes
/// eight bytes of memory. Runs of one value take next to none in some formats.
///
/// # Errors
/// [`Error::Data`], which names both numbers.
pub(super) fn check_cells(path: &Path, rows: u64, columns: u64, length: u64) -> Result<()> {
    let bytes = rows.saturating_mul(columns).saturating_mul(8);
    if bytes <= length.saturating_mul(MAX_RATIO).max(CELLS_ALWAYS_ALLOWED) {
        return Ok(());
    }
    let message = format!(
        "holds {rows} rows of {columns} columns in {length} bytes, which no real data do; if yours \
         do, write it as text"
    );
    Err(Error::data(path, message))
}

/// Reader of the content of a gzip file of `length` bytes, of one member or several. Reading fails
/// on damage, and on more bytes than real data could unpack to.
pub fn gunzip(packed: impl Read, length: u64) -> impl Read {
    Limited { reader: MultiGzDecoder::new(packed), left: max_unpacked(length), length }
}

fn max_unpacked(packed: u64) -> u64 {
    packed.saturating_mul(MAX_RATIO).max(ALWAYS_ALLOWED)
}

/// End of the message about data that unpack to too many bytes.
fn excess() -> String {
    format!("more than {MAX_RATIO} times as many, which no real data do; if yours do, unpack them")
}

/// A reader that fails when its limit of bytes is passed.
struct Limited<R> {
    reader: R,
    /// Bytes that may still come.
    left: u64,
    /// Bytes of the packed file, for the message.
    length: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                let (packed, most) = (self.length, max_unpacked(self.length));
                let message =
                    format!("unpacks from {packed} to more than {most} bytes, {}", excess());
                return Err(IoError::new(ErrorKind::InvalidData, message));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::{Write as _, copy, repeat, sink};

    fn zeros(bytes: u64) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        copy(&mut repeat(0).take(bytes), &mut packer).unwrap();
        packer.flush().unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn what_unpacks_without_end_is_left_before_its_end() {
        for (bytes, fits) in [(ALWAYS_ALLOWED, true), (ALWAYS_ALLOWED + 1, false)] {
            let packed = zeros(bytes);
            let length = packed.len() as u64;
            assert!(length < 1 << 17);
            let read = copy(&mut gunzip(&packed[..], length), &mut sink());
            let checked = check_unpacked(Path::new("a.npz"), "array `x` ", length, bytes);
            match fits {
                true => assert!(read.unwrap() == bytes && checked.is_ok()),
                false => {
                    let start =
                        format!("unpacks from {length} to more than {ALWAYS_ALLOWED} bytes, more");
                    let message = read.unwrap_err().to_string();
                    assert!(message.starts_with(&start), "{message}");
                    let start = format!("array `x` unpacks from {length} to {bytes} bytes, more");
                    let message = checked.unwrap_err().to_string();
                    assert!(message.contains(&start), "{message}");
                }
            }
        }
    }

    #[test]
    fn a_table_has_as_many_cells_as_its_file_can_hold() {
        let path = Path::new("a.parquet");
        assert!(check_cells(path, 1 << 20, 2, 100).is_ok());
        assert!(check_cells(path, 25 << 20, 1, 1 << 20).is_ok());
        let message = check_cells(path, u64::MAX, 3, 100).unwrap_err().to_string();
        assert!(message.contains(&format!("holds {} rows of 3 columns in 100 bytes", u64::MAX)));
    }

    #[test]
    fn a_file_of_some_size_may_unpack_to_many_times_of_it() {
        let path = Path::new("a.npz");
        assert!(check_unpacked(path, "", 1 << 20, 200 << 20).is_ok());
        assert!(check_unpacked(path, "", 1 << 20, (200 << 20) + 1).is_err());
    }
}

//! Packed data: how long they may become. A file of a few bytes can be made that unpacks to more than any machine
//! holds; data do not do that.

use std::io::{Error as IoError, ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::{Error, Result};

/// How many times longer than their packed form data may be: tables are some 3 to 20 times, images and floats less.
const LONGER: u64 = 200;
/// Bytes that any packed data may have.
const ALWAYS: u64 = 64 << 20;

/// An error if `packed` bytes say that they unpack to more than data do. `what` begins the message, as "array `x` ".
///
/// # Errors
/// [`Error::Data`], which names both numbers.
pub(super) fn check_unpacked(path: &Path, what: &str, packed: u64, unpacked: u64) -> Result<()> {
    if unpacked <= most(packed) {
        return Ok(());
    }
    let message = format!("{what}unpacks from {packed} to {unpacked} bytes, {}", too_many());
    Err(Error::data(path, message))
}

/// Unpacks gzip's `length` bytes as they are read.
///
/// # Errors
/// Damage, and more bytes than data have, while it is read.
pub fn gunzip(packed: impl Read, length: u64) -> impl Read {
    Limited { reader: MultiGzDecoder::new(packed), left: most(length), length }
}

fn most(packed: u64) -> u64 {
    packed.saturating_mul(LONGER).max(ALWAYS)
}

fn too_many() -> String {
    format!("more than {LONGER} times as many, which no data do; leave yours unpacked if they do")
}

struct Limited<R> {
    reader: R,
    left: u64,
    length: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                let (packed, most) = (self.length, most(self.length));
                let message =
                    format!("unpacks from {packed} to more than {most} bytes, {}", too_many());
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
        for (bytes, fits) in [(ALWAYS, true), (ALWAYS + 1, false)] {
            let packed = zeros(bytes);
            let length = packed.len() as u64;
            assert!(length < 1 << 17);
            let told = copy(&mut gunzip(&packed[..], length), &mut sink());
            let said = check_unpacked(Path::new("a.npz"), "array `x` ", length, bytes);
            match fits {
                true => assert!(told.unwrap() == bytes && said.is_ok()),
                false => {
                    let start = format!("unpacks from {length} to more than {ALWAYS} bytes, more");
                    let (told, said) =
                        (told.unwrap_err().to_string(), said.unwrap_err().to_string());
                    assert!(told.starts_with(&start), "{told}");
                    let start = format!("array `x` unpacks from {length} to {bytes} bytes, more");
                    assert!(said.contains(&start), "{said}");
                }
            }
        }
    }

    #[test]
    fn a_file_of_some_size_may_unpack_to_many_times_of_it() {
        let path = Path::new("a.npz");
        assert!(check_unpacked(path, "", 1 << 20, 200 << 20).is_ok());
        assert!(check_unpacked(path, "", 1 << 20, (200 << 20) + 1).is_err());
    }
}

//! Sizes that the pages of a Parquet file claim, before anything is allocated for them.

use crate::io::packed::check_unpacked;
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Largest size of the description of a page in bytes. It may hold the least and the largest value
/// of the page.
const LONGEST: u64 = 16 << 20;

/// Checks the pages in the bytes `(start, length)` of a file, one behind the other.
///
/// # Errors
/// [`Error::Data`]: a page claims to unpack to more bytes than real data can, its description is
/// damaged, or the file cannot be read.
pub(super) fn check(path: &Path, file: &mut File, (start, length): (u64, u64)) -> Result<()> {
    let damaged = |what: &str| Error::data(path, format!("cannot be read as Parquet: {what}"));
    let (mut at, end) = (start, start.saturating_add(length));
    while at < end {
        file.seek(SeekFrom::Start(at)).map_err(|e| damaged(&e.to_string()))?;
        // Descriptions are short: a longer one is read again whole.
        let mut head = Vec::new();
        let mut page = None;
        for size in [1 << 10, LONGEST] {
            let left = size.min(end - at) - head.len() as u64;
            file.by_ref().take(left).read_to_end(&mut head).map_err(|e| damaged(&e.to_string()))?;
            page = Thrift { bytes: &head, at: 0 }.page();
            if page.is_some() || (head.len() as u64) < size {
                break;
            }
        }
        let page = page.ok_or_else(|| damaged("the description of a page is damaged"))?;
        check_unpacked(path, "a page ", page.packed, page.unpacked)?;
        at = at.saturating_add(page.head).saturating_add(page.packed);
    }
    Ok(())
}

/// Sizes of a page in bytes.
struct Page {
    /// Bytes of the description before the page.
    head: u64,
    packed: u64,
    unpacked: u64,
}

/// Reader of Thrift's compact protocol, in which pages are described. `None`: the bytes are
/// damaged or end too early.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Thrift<'_> {
    /// The description of a page, of which two fields are sizes.
    fn page(mut self) -> Option<Page> {
        let (mut packed, mut unpacked) = (None, None);
        let mut field = 0_i64;
        while let Some((number, kind)) = self.field(field)? {
            field = number;
            match (number, kind) {
                (2, 5) => unpacked = Some(u64::try_from(self.signed()?).ok()?),
                (3, 5) => packed = Some(u64::try_from(self.signed()?).ok()?),
                (_, kind) => self.skip(kind, 0)?,
            }
        }
        Some(Page { head: self.at as u64, packed: packed?, unpacked: unpacked? })
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Number and type of the next field behind the one with the number `last`; the inner `None`
    /// at the end of the fields.
    fn field(&mut self, last: i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        let number = match byte >> 4 {
            0 => self.signed()?,
            more => last.checked_add(i64::from(more))?,
        };
        Some(Some((number, byte & 0x0f)))
    }

    /// Passes over a value that is nested `depth` deep.
    fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        if depth > 16 {
            return None;
        }
        match kind {
            // A truth value is its type.
            1 | 2 => {}
            3 => _ = self.byte()?,
            4..=6 => _ = self.unsigned()?,
            7 => self.pass(8)?,
            8 => {
                let length = self.unsigned()?;
                self.pass(length)?;
            }
            9 | 10 => {
                let byte = self.byte()?;
                let count = match byte >> 4 {
                    15 => self.unsigned()?,
                    few => u64::from(few),
                };
                for _ in 0..count {
                    match byte & 0x0f {
                        1 | 2 => _ = self.byte()?,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
            }
            12 => {
                let mut field = 0;
                while let Some((number, kind)) = self.field(field)? {
                    field = number;
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        self.at = Some(end).filter(|end| *end <= self.bytes.len())?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description of a page of such sizes, with a list, a text and a number behind them.
    fn page(unpacked: u64, packed: u64) -> Vec<u8> {
        let number = |mut n: u64| {
            n *= 2;
            let mut bytes = Vec::new();
            while n > 0x7f {
                bytes.push(n as u8 | 0x80);
                n >>= 7;
            }
            bytes.push(n as u8);
            bytes
        };
        let inner = [0x19, 0x35, 2, 4, 6, 0x18, 3, b'a', b'b', b'c', 0x16, 8, 0];
        let parts = [&[0x15, 0, 0x15][..], &number(unpacked), &[0x15], &number(packed), &[0x2c]];
        [&parts.concat(), &inner[..], &[0]].concat()
    }

    #[test]
    fn a_page_that_claims_more_than_real_data_unpack_to_is_refused_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let checked = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let mut file = File::open(&path).unwrap();
            check(&path, &mut file, (4, bytes.len() as u64 - 4)).map_err(|e| e.to_string())
        };
        let sound = [b"PAR1", &page(4000, 5)[..], b"12345", &page(7, 2), b"12"].concat();
        assert_eq!(checked(&sound), Ok(()));
        let much = [&sound[..], &page(1 << 30, 3), b"123"].concat();
        let message = checked(&much).unwrap_err();
        assert!(message.contains("a page unpacks from 3 to 1073741824 bytes"), "{message}");
        for end in sound.len() - 8..sound.len() - 3 {
            let message = checked(&sound[..end]).unwrap_err();
            assert!(message.contains("the description of a page is damaged"), "{message}");
        }
        let deep = [b"PAR1", &[0x1c; 100][..]].concat();
        assert!(checked(&deep).is_err());
    }
}

//! Lengths of the lists in the header of a TIFF file, for which its reader allocates memory before
//! it reads them.

use std::io::{Read, Seek, SeekFrom};

/// True unless a list of a file of `length` bytes is longer than the file. Files of other formats,
/// and damage of another kind, are left to their reader.
pub(super) fn lists_fit(file: &mut (impl Read + Seek), length: u64) -> std::io::Result<bool> {
    let mut start = [0; 16];
    file.seek(SeekFrom::Start(0))?;
    if length < 16 {
        return Ok(true);
    }
    file.read_exact(&mut start)?;
    let order = match &start[..2] {
        b"II" => Order::Little,
        b"MM" => Order::Big,
        _ => return Ok(true),
    };
    // Numbers of the usual and of the large format: of the entries, and of their values.
    let (first, count, entry, list, room) = match order.number(&start[2..4]) {
        42 => (order.number(&start[4..8]), 2, 12, 4..8, 4),
        43 => (order.number(&start[8..16]), 8, 20, 4..12, 8),
        _ => return Ok(true),
    };
    if first.saturating_add(count) > length {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(first))?;
    let mut number = [0; 8];
    let number = &mut number[..count as usize];
    file.read_exact(number)?;
    let entries = order.number(number).min((length - first - count) / entry);
    for _ in 0..entries {
        let mut bytes = [0; 20];
        let bytes = &mut bytes[..entry as usize];
        file.read_exact(bytes)?;
        let size = match order.number(&bytes[2..4]) {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            _ => 8,
        };
        let total = order.number(&bytes[list.clone()]).saturating_mul(size);
        if total > length.max(room) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Order of the bytes of a number.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn number(self, bytes: &[u8]) -> u64 {
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, add),
            Self::Big => bytes.iter().fold(0, add),
        }
    }
}

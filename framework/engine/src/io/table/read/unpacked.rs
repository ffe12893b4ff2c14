//! Lengths that the packed buffers of an Arrow file claim, before anything is allocated for them.

use crate::io::open_regular;
use crate::io::packed::check_unpacked;
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Checks the messages of a file from the byte `at`, one behind the other.
///
/// # Errors
/// [`Error::Data`]: a buffer claims to unpack to more bytes than real data can, a message is
/// longer than the file, or the file cannot be read.
pub(super) fn check(path: &Path, at: u64) -> Result<()> {
    let (mut file, length) = open_regular(path)?;
    let mut at = at;
    while let Some(next) = message(path, &mut file, at, length)? {
        at = next;
    }
    Ok(())
}

/// Checks the message at `at`; returns the place behind it, `None` if there is no further one.
fn message(path: &Path, file: &mut File, at: u64, length: u64) -> Result<Option<u64>> {
    let damaged =
        |what: &str| Error::data(path, format!("cannot be read as an Arrow file: {what}"));
    let read = |file: &mut File, at: u64, bytes: &mut [u8]| {
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes));
        read.map_err(|e| damaged(&e.to_string()))
    };
    let mut start = [0; 8];
    if at.checked_add(8).is_none_or(|end| end > length) {
        return Ok(None);
    }
    read(file, at, &mut start)?;
    let [mark, size] = [&start[..4], &start[4..]]
        .map(|four| four.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)));
    if mark != 0xffff_ffff || size == 0 {
        return Ok(None);
    }
    let body = at + 8 + size;
    if body > length {
        return Err(damaged("a message is longer than the file"));
    }
    let mut head = vec![0; size as usize];
    read(file, at + 8, &mut head)?;
    let head = arrow_ipc::root_as_message(&head).map_err(|e| damaged(&e.to_string()))?;
    let dictionary = head.header_as_dictionary_batch().and_then(|batch| batch.data());
    let batch = head.header_as_record_batch().or(dictionary);
    let packed = batch.filter(|batch| batch.compression().is_some());
    for buffer in packed.and_then(|batch| batch.buffers()).into_iter().flatten() {
        let (from, bytes) = (buffer.offset() as u64, buffer.length() as u64);
        let from = body.checked_add(from).filter(|from| *from <= length);
        if bytes < 8 {
            continue;
        }
        let mut claimed = [0; 8];
        read(file, from.ok_or_else(|| damaged("a buffer lies outside the file"))?, &mut claimed)?;
        // −1 stands for a buffer that is not packed.
        if let Ok(claimed) = u64::try_from(i64::from_le_bytes(claimed)) {
            check_unpacked(path, "a buffer ", bytes, claimed)?;
        }
    }
    Ok(body.checked_add(head.bodyLength().max(0) as u64))
}

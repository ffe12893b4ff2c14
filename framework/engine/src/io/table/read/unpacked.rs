//! Lengths that the messages and packed buffers of an Arrow file claim, before anything is
//! allocated for them.

use crate::io::open_regular;
use crate::io::packed::{check_cells, check_unpacked};
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Checks the messages of a file: those of a stream one behind the other, of others those that its
/// end lists.
///
/// # Errors
/// [`Error::Data`]: a message lies outside the file, its buffers claim to unpack to more bytes than
/// real data can, it claims more cells than real data have, or the file cannot be read.
pub(super) fn check(path: &Path, is_stream: bool) -> Result<()> {
    let (file, length) = open_regular(path)?;
    let mut messages = Messages { path, file, length, unpacked: 0, rows: 0 };
    match is_stream {
        true => messages.stream(),
        false => messages.listed(),
    }
}

/// The last bytes of a file that lists its messages: the length of the list, and `ARROW1`.
const END: u64 = 10;

struct Messages<'p> {
    path: &'p Path,
    file: File,
    length: u64,
    /// Bytes to which the buffers so far unpack.
    unpacked: u64,
    /// Rows so far.
    rows: u64,
}

/// Places of a message in the file.
struct Message {
    /// Begin and end of its description.
    head: [u64; 2],
    /// Begin of its body.
    body: u64,
    /// Length of the body if the list says it; else its description does.
    length: Option<u64>,
}

impl Messages<'_> {
    fn damaged(&self, what: &str) -> Error {
        Error::data(self.path, format!("cannot be read as an Arrow file: {what}"))
    }

    /// The bytes from `from` up to `to`.
    fn read(&mut self, from: u64, to: u64) -> Result<Vec<u8>> {
        if from > to || to > self.length {
            return Err(self.damaged("a message is longer than the file"));
        }
        let mut bytes = vec![0; (to - from) as usize];
        let read = self.file.seek(SeekFrom::Start(from));
        let read = read.and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|e| self.damaged(&e.to_string()))?;
        Ok(bytes)
    }

    /// Two numbers of four bytes.
    fn two(&mut self, at: u64) -> Result<[u64; 2]> {
        let eight = self.read(at, at.saturating_add(8))?;
        let number = |four: &[u8]| {
            four.iter().rev().fold(0, |value: u64, byte| value << 8 | u64::from(*byte))
        };
        Ok([number(&eight[..4]), number(&eight[4..])])
    }

    fn stream(&mut self) -> Result<()> {
        let mut at = 0_u64;
        while at.saturating_add(8) <= self.length {
            // Earlier versions wrote no mark before the size.
            let (size, head) = match self.two(at)? {
                [0xffff_ffff, size] => (size, at + 8),
                [size, _] => (size, at + 4),
            };
            if size == 0 {
                return Ok(());
            }
            let body = head + size;
            at = self.message(&Message { head: [head, body], body, length: None })?;
        }
        Ok(())
    }

    fn listed(&mut self) -> Result<()> {
        let end = self.length.checked_sub(END);
        let end = end.ok_or_else(|| self.damaged("it is cut off"))?;
        let size = self.two(end)?[0];
        let start = end.checked_sub(size);
        let start = start.ok_or_else(|| self.damaged("its list of contents is longer than it"))?;
        let list = self.read(start, end)?;
        let list = arrow_ipc::root_as_footer(&list).map_err(|e| self.damaged(&e.to_string()))?;
        for block in [list.dictionaries(), list.recordBatches()].into_iter().flatten().flatten() {
            let numbers = [block.offset(), block.metaDataLength().into(), block.bodyLength()];
            let [Ok(from), Ok(head), Ok(length)] = numbers.map(u64::try_from) else {
                return Err(self.damaged("a message has a negative length"));
            };
            let body = from.saturating_add(head);
            let mark = if self.two(from)?[0] == 0xffff_ffff { 8 } else { 4 };
            self.message(&Message { head: [from + mark, body], body, length: Some(length) })?;
        }
        Ok(())
    }

    /// Checks a message; returns the place behind it.
    fn message(&mut self, message: &Message) -> Result<u64> {
        let bytes = self.read(message.head[0], message.head[1])?;
        let head = arrow_ipc::root_as_message(&bytes).map_err(|e| self.damaged(&e.to_string()))?;
        let length = message.length.or_else(|| u64::try_from(head.bodyLength()).ok());
        let end = length.and_then(|length| message.body.checked_add(length));
        let end = end.filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| self.damaged("a message is longer than the file"))?;
        let dictionary = head.header_as_dictionary_batch().and_then(|batch| batch.data());
        let Some(batch) = head.header_as_record_batch().or(dictionary) else { return Ok(end) };
        let nodes = batch.nodes().into_iter().flatten().map(|node| node.length());
        let most = nodes.chain([batch.length()]).max().unwrap_or(0).max(0) as u64;
        self.rows = self.rows.saturating_add(most);
        let columns = batch.nodes().map_or(1, |nodes| nodes.len().max(1)) as u64;
        check_cells(self.path, self.rows, columns, self.length)?;
        if batch.compression().is_none() {
            return Ok(end);
        }
        for buffer in batch.buffers().into_iter().flatten() {
            let (from, bytes) = (buffer.offset() as u64, buffer.length() as u64);
            if bytes < 8 {
                continue;
            }
            let from = message.body.checked_add(from).filter(|from| *from < end);
            let from = from.ok_or_else(|| self.damaged("a buffer lies outside the file"))?;
            let claimed = self.read(from, from + 8)?;
            let claimed = claimed.iter().rev().fold(0, |value: i64, b| value << 8 | i64::from(*b));
            // −1 stands for a buffer that is not packed.
            if let Ok(claimed) = u64::try_from(claimed) {
                check_unpacked(self.path, "a buffer ", bytes, claimed)?;
                // Several buffers may be the same bytes.
                self.unpacked = self.unpacked.saturating_add(claimed);
                check_unpacked(self.path, "", self.length, self.unpacked)?;
            }
        }
        Ok(end)
    }
}

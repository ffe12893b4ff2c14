//! Entries of an `.npz`, written through a buffer.

use std::cell::RefCell;
use std::io::{self, BufWriter, Seek, Write};
use std::rc::Rc;

use npyz::npz::{NpzWriter, file_name_from_array_name};
use zip::ZipWriter;

/// Bytes of the buffer.
const BUFFER: usize = 1 << 16;

/// An entry that is being written. Deflate clears all of its output buffer at every write, which
/// takes a thousand times as long as the four bytes of a number: they are collected before. A clone
/// is the same entry.
pub(super) struct Entry<W: Write>(Rc<RefCell<BufWriter<W>>>);

impl<'a, W: Write + Seek> Entry<&'a mut ZipWriter<W>> {
    /// Begins the array `name` of `size` bytes.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(archive: &'a mut NpzWriter<W>, name: &str, size: u64) -> io::Result<Self> {
        let options = zip::write::FileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .large_file(size >= 1 << 31);
        let zip = archive.zip_writer();
        zip.start_file(file_name_from_array_name(name), options)?;
        Ok(Self(Rc::new(RefCell::new(BufWriter::with_capacity(BUFFER, zip)))))
    }
}

impl<W: Write> Clone for Entry<W> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<W: Write> Write for Entry<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

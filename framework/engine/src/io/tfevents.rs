//! TensorBoard's event files. Each record is TensorFlow's protocol buffer message `Event`, framed
//! by its length and by checksums (masked CRC-32C); the few fields that scalars need are encoded
//! here. A log grows record by record, and readers ignore a last one that was cut short.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Error, Result};

/// Appends scalars to a new event file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Starts a new file in `folder`, which is made if it is not there. A resumed run passes the
    /// first step that it will write, as `resumed_at`: TensorBoard then hides what earlier files
    /// hold from that step on.
    ///
    /// # Errors
    /// [`Error::Io`]: the folder or the file cannot be made or written.
    pub fn create(folder: &Path, resumed_at: Option<i64>) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let now = wall_time();
        let (path, file) = new_file(folder, now as u64)?;
        let mut writer = EventWriter { path, file: BufWriter::new(file) };
        writer.record(&event(now, 0, FILE_VERSION, b"brain.Event:2"))?;
        if let Some(step) = resumed_at {
            // SessionLog { status: START }
            writer.record(&event(now, step, SESSION_LOG, &[0x08, 0x01]))?;
        }
        writer.flush()?;
        Ok(writer)
    }

    /// Appends a value under a tag such as `train/loss`, at the current time.
    ///
    /// # Errors
    /// [`Error::Io`]: the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Result<()> {
        self.scalar_at(tag, step, value, wall_time())
    }

    /// Appends a value at `wall_time`, in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Io`]: the file cannot be written.
    pub fn scalar_at(&mut self, tag: &str, step: i64, value: f32, wall_time: f64) -> Result<()> {
        self.record(&event(wall_time, step, SUMMARY, &summary(tag, value)))
    }

    /// Writes buffered records to the file, so that TensorBoard sees them. Dropping the writer does
    /// so too, but ignores errors.
    ///
    /// # Errors
    /// [`Error::Io`]: the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn record(&mut self, event: &[u8]) -> Result<()> {
        self.file.write_all(&frame(event)).map_err(Error::io("write", &self.path))
    }
}

/// Creates an event file under a new name. TensorBoard reads all files with `tfevents` in their
/// names, in the order of the names.
fn new_file(folder: &Path, seconds: u64) -> Result<(PathBuf, File)> {
    let mut number = 0;
    loop {
        let name = format!("events.out.tfevents.{seconds:010}.{}.{number:03}", std::process::id());
        let path = folder.join(name);
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(e) => return Err(Error::io("create", &path)(e)),
        }
    }
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

// Keys of the length-delimited fields of `Event`: field number times 8, plus 2.
const FILE_VERSION: u8 = 3 << 3 | 2;
const SUMMARY: u8 = 5 << 3 | 2;
const SESSION_LOG: u8 = 7 << 3 | 2;

/// Encodes `Event { double wall_time = 1; int64 step = 2; … }` with one more field.
fn event(wall_time: f64, step: i64, key: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend(wall_time.to_le_bytes());
    if step != 0 {
        out.push(2 << 3);
        varint(&mut out, step as u64);
    }
    field(&mut out, key, content);
    out
}

/// Encodes `Summary { repeated Value value = 1 }` with one
/// `Value { string tag = 1; float simple_value = 2 }`.
fn summary(tag: &str, number: f32) -> Vec<u8> {
    let mut value = Vec::new();
    field(&mut value, 1 << 3 | 2, tag.as_bytes());
    value.push(2 << 3 | 5);
    value.extend(number.to_le_bytes());
    let mut out = Vec::new();
    field(&mut out, 1 << 3 | 2, &value);
    out
}

fn field(out: &mut Vec<u8>, key: u8, content: &[u8]) {
    out.push(key);
    varint(out, content.len() as u64);
    out.extend(content);
}

/// Appends an integer as a varint: seven bits a byte, lowest first; a set top bit means that more
/// bytes follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Frames a record: length, its checksum, content, its checksum.
fn frame(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(content.len() + 16);
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(content);
    out.extend(masked_crc(content).to_le_bytes());
    out
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_format() {
        #[rustfmt::skip]
        let expected = [
            0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, // wall_time 1.5
            0x10, 0xac, 0x02, // step 300
            0x2a, 0x0a, // summary of 10 bytes
            0x0a, 0x08, // value of 8 bytes
            0x0a, 0x01, b'a', // tag
            0x15, 0, 0, 0x20, 0xc0, // simple_value -2.5
        ];
        assert_eq!(event(1.5, 300, SUMMARY, &summary("a", -2.5)), expected);
        let mut minus = Vec::new();
        varint(&mut minus, -1_i64 as u64);
        assert_eq!(minus, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    }

    #[test]
    fn frames_are_those_of_the_format() {
        // The published check value of CRC-32C, masked by hand.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let masked = (0x0001_c60d_u32 + 0x2506_0000).wrapping_add(0xa282_ead8);
        assert_eq!(masked_crc(b"123456789"), masked);
        let framed = frame(b"123456789");
        assert_eq!(framed[..8], [9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(framed[8..12], masked_crc(&framed[..8]).to_le_bytes());
        assert_eq!(&framed[12..21], b"123456789");
        assert_eq!(framed[21..], masked.to_le_bytes());
    }

    /// Splits a file into its records, checking every checksum.
    fn records(path: &Path) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let mut records = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let content = &rest[12..12 + length];
            assert_eq!(rest[..16 + length], frame(content));
            records.push(content.to_vec());
            rest = &rest[16 + length..];
        }
        records
    }

    #[test]
    fn a_log_starts_with_the_version_and_grows() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("deep/er");
        let mut writer = EventWriter::create(&folder, None).unwrap();
        assert_eq!(records(writer.path()).len(), 1);
        writer.scalar_at("loss", 0, 1.0, 2.0).unwrap();
        writer.scalar_at("loss", 1, f32::NAN, 3.0).unwrap();
        writer.flush().unwrap();
        let records = records(writer.path());
        assert!(records[0].ends_with(b"\x1a\x0dbrain.Event:2"));
        assert_eq!(records[1], event(2.0, 0, SUMMARY, &summary("loss", 1.0)));
        assert_eq!(records[2], event(3.0, 1, SUMMARY, &summary("loss", f32::NAN)));
    }

    #[test]
    fn a_resumed_log_is_a_new_file_that_says_where_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventWriter::create(folder.path(), None).unwrap();
        let second = EventWriter::create(folder.path(), Some(7)).unwrap();
        assert!(first.path() < second.path());
        let records = records(second.path());
        assert_eq!(records.len(), 2);
        assert!(records[1].ends_with(&[0x10, 7, 0x3a, 2, 8, 1]));
    }
}

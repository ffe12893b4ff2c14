use std::io::{self, ErrorKind, Seek, SeekFrom, Write};

/// A file that reports only its first failure, for archives on a full disk: an archive writer whose
/// file failed tries again to finish it when dropped, and prints that this failed too. After the
/// failure every write seems to succeed and positions advance, because the writer computes lengths
/// from them.
pub(super) struct FirstFailure<W> {
    file: W,
    at: u64,
    failed: Option<io::Error>,
}

impl<W> FirstFailure<W> {
    pub fn new(file: W) -> Self {
        Self { file, at: 0, failed: None }
    }

    fn try_to<T>(&mut self, after: T, f: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.failed.is_some() {
            return Ok(after);
        }
        f(&mut self.file).inspect_err(|e| {
            if e.kind() != ErrorKind::Interrupted {
                let copy = e.raw_os_error().map(io::Error::from_raw_os_error);
                self.failed = Some(copy.unwrap_or(e.kind().into()));
            }
        })
    }

    /// Result of writing an archive whose writer returned `done`. The file's own error comes first:
    /// the writer wraps it into one of another kind, or drops it with an unfinished entry.
    pub fn ended(self, done: io::Result<()>) -> io::Result<()> {
        self.failed.map_or(done, Err)
    }
}

impl<W: Write> Write for FirstFailure<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.try_to(bytes.len(), |file| file.write(bytes))?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.try_to((), W::flush)
    }
}

impl<W: Seek> Seek for FirstFailure<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let after = match to {
            SeekFrom::Start(to) => to,
            SeekFrom::Current(by) | SeekFrom::End(by) => self.at.saturating_add_signed(by),
        };
        self.at = self.try_to(after, |file| file.seek(to))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_fails_once_and_its_place_counts_on() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 > 1 { Err(ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Seek for Full {
            fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
                Err(ErrorKind::StorageFull.into())
            }
        }
        let mut file = FirstFailure::new(Full(0));
        assert!(file.write(b"ab").is_ok() && file.write(b"a").is_err());
        assert_eq!((file.write(b"abc").unwrap(), file.file.0), (3, 2));
        assert_eq!(file.stream_position().unwrap(), 5);
        assert_eq!(file.seek(SeekFrom::Start(1)).unwrap(), 1);
    }
}

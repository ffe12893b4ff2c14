//! The text of a file as UTF-8, in pieces.

use std::io::Read;
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::io::{gunzip, open_regular};
use crate::{Error, Result, memory};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Text of a file, compressed by gzip or not, of which a window is in memory. Without a named
/// encoding the text is UTF-8, or UTF-16 if it begins with a byte order mark of that.
pub(super) struct Input<'p> {
    path: &'p Path,
    file: Box<dyn Read>,
    is_packed: bool,
    /// Decoder of text that is not UTF-8.
    decoder: Option<Decoder>,
    encoding: &'static Encoding,
    /// Bytes that are not decoded yet.
    raw: Vec<u8>,
    /// The window, in UTF-8.
    text: Vec<u8>,
    /// Lines before the window.
    lines: usize,
    ended: bool,
}

/// True if a text is surely UTF-8, or UTF-16 with a byte order mark, and not in the encoding called
/// `label`: it is valid, and has characters that are written in another way there.
///
/// # Errors
/// [`Error::Data`]: the file cannot be opened. [`Error::Config`]: there is no such encoding.
pub fn is_unicode(path: &Path, label: &str) -> Result<bool> {
    let named = named(label)?;
    if named == UTF_8 {
        return Ok(false);
    }
    drop(open_regular(path)?);
    let Ok(mut input) = Input::open(path, None) else { return Ok(false) };
    // Single bytes of texts in UTF-16 are no characters of UTF-8 that is text.
    let mut differs = input.decoder.is_some() || named == UTF_16LE || named == UTF_16BE;
    loop {
        differs |= !input.text.is_ascii();
        if input.ended {
            return Ok(differs);
        }
        if input.advance(input.text.len()).is_err() {
            return Ok(false);
        }
    }
}

impl<'p> Input<'p> {
    /// Opens a file and reads its first piece.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read, or is in another encoding. [`Error::Config`]:
    /// there is no such encoding.
    pub fn open(path: &'p Path, encoding: Option<&str>) -> Result<Self> {
        let named = encoding.map(named).transpose()?;
        let (mut file, length) = open_regular(path)?;
        memory::check_file(path, "", length)?;
        let mut start = Vec::new();
        let unreadable = |e: std::io::Error| Error::data(path, format!("cannot be read: {e}"));
        file.by_ref().take(2).read_to_end(&mut start).map_err(unreadable)?;
        let is_packed = start == [0x1f, 0x8b];
        let whole = std::io::Cursor::new(start).chain(file);
        let file: Box<dyn Read> =
            if is_packed { Box::new(gunzip(whole, length)) } else { Box::new(whole) };
        let mut input = Self {
            path,
            file,
            is_packed,
            decoder: None,
            encoding: named.unwrap_or(UTF_8),
            raw: Vec::new(),
            text: Vec::new(),
            lines: 0,
            ended: false,
        };
        input.fetch()?;
        match (named, Encoding::for_bom(&input.raw)) {
            (Some(named), _) => input.decoder = Some(named.new_decoder()),
            (None, Some((marked, _))) if marked == UTF_16LE || marked == UTF_16BE => {
                (input.encoding, input.decoder) = (marked, Some(marked.new_decoder()));
            }
            (None, Some((_, length))) => drop(input.raw.drain(..length)),
            (None, None) => {}
        }
        input.decode()?;
        Ok(input)
    }

    /// The window.
    #[inline]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The window, to be changed in place.
    pub fn text_mut(&mut self) -> &mut [u8] {
        &mut self.text
    }

    /// True if the window ends where the text does.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Name of the encoding.
    pub fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Drops the text before `from`, and adds the next piece.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn advance(&mut self, from: usize) -> Result<()> {
        self.lines += memchr::memchr_iter(b'\n', &self.text[..from]).count();
        self.text.drain(..from);
        self.fetch()?;
        self.decode()
    }

    /// Reads a piece, undecoded.
    fn fetch(&mut self) -> Result<()> {
        let piece = (&mut self.file).take(PIECE as u64).read_to_end(&mut self.raw);
        let what = if self.is_packed { "is a damaged gzip file" } else { "cannot be read" };
        let count = piece.map_err(|e| Error::data(self.path, format!("{what}: {e}")))?;
        self.ended = count < PIECE;
        Ok(())
    }

    /// Decodes the bytes that were read.
    fn decode(&mut self) -> Result<()> {
        let Some(decoder) = &mut self.decoder else { return self.check() };
        let (mut at, ended) = (0, self.ended);
        loop {
            let from = self.text.len();
            let most = decoder.max_utf8_buffer_length_without_replacement(self.raw.len() - at);
            self.text.resize(from + most.unwrap_or(PIECE * 3), 0);
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(
                &self.raw[at..],
                &mut self.text[from..],
                ended,
            );
            self.text.truncate(from + written);
            at += read;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    let message = format!("is no text in the encoding {}", self.encoding.name());
                    return Err(Error::data(self.path, message));
                }
            }
        }
        self.raw.clear();
        Ok(())
    }

    /// Takes over bytes that are UTF-8; a character that is cut waits for the next piece.
    fn check(&mut self) -> Result<()> {
        let valid = match std::str::from_utf8(&self.raw) {
            Ok(_) => self.raw.len(),
            Err(e) if e.error_len().is_none() && !self.ended => e.valid_up_to(),
            Err(e) => {
                let before = self.text.iter().chain(&self.raw[..e.valid_up_to()]);
                let line = 1 + self.lines + before.filter(|byte| **byte == b'\n').count();
                let message = format!(
                    "line {line} is not UTF-8; name the encoding of the text, as \
                     `data.encoding=latin1` (Western European, Windows-1252), or utf-16le, \
                     windows-1250, shift_jis, …"
                );
                return Err(Error::data(self.path, message));
            }
        };
        if let Some(zero) = memchr::memchr(0, &self.raw[..valid]) {
            return Err(self.zero(zero));
        }
        self.text.extend_from_slice(&self.raw[..valid]);
        self.raw.drain(..valid);
        Ok(())
    }

    /// The error about a byte of 0, at `at` among those that were read.
    fn zero(&self, at: usize) -> Error {
        let zeros = memchr::memchr_iter(0, &self.raw).count();
        // Every second byte of Western texts in UTF-16.
        let message = match 4 * zeros > self.raw.len() {
            true => "holds zeros as UTF-16 does; name its encoding, as `data.encoding=utf-16le`"
                .to_owned(),
            false => {
                let before = self.text.iter().chain(&self.raw[..at]);
                let line = 1 + self.lines + before.filter(|byte| **byte == b'\n').count();
                format!("line {line} holds a byte of 0, which no text has; it may be damaged")
            }
        };
        Error::data(self.path, message)
    }
}

/// The encoding that is called `label`.
fn named(label: &str) -> Result<&'static Encoding> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        Error::config("encoding", format!("there is no encoding `{label}`")).help(
            "known are those of the WHATWG, such as \
             utf-8, latin1, windows-1250, utf-16le, shift_jis, gbk",
        )
    })
}

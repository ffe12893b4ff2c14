use std::io::Read as _;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::io::{gunzip, read_file};
use crate::{Error, Result};

/// Reads a text file, compressed by gzip or not, and decodes it to UTF-8. Without `encoding` the
/// text is UTF-8, or UTF-16 if it begins with a byte order mark of that.
pub(super) fn read_text(path: &Path, encoding: Option<&str>) -> Result<String> {
    let bytes = read_file(path)?;
    let bytes = match &bytes[..] {
        [0x1f, 0x8b, ..] => {
            let mut text = Vec::new();
            let read = gunzip(&bytes[..], bytes.len() as u64).read_to_end(&mut text);
            read.map_err(|e| Error::data(path, format!("is a damaged gzip file: {e}")))?;
            text
        }
        _ => bytes,
    };
    match encoding {
        Some(label) => decode_as(path, &bytes, label),
        None => decode(path, bytes),
    }
}

fn decode_as(path: &Path, bytes: &[u8], label: &str) -> Result<String> {
    let encoding = Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        Error::config("encoding", format!("there is no encoding `{label}`")).help(
            "known are those of the WHATWG, such as \
             utf-8, latin1, windows-1250, utf-16le, shift_jis, gbk",
        )
    })?;
    let (text, used, wrong) = encoding.decode(bytes);
    if wrong {
        return Err(Error::data(path, format!("is no text in the encoding {}", used.name())));
    }
    Ok(text.into_owned())
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<String> {
    if let Some((encoding, _)) = Encoding::for_bom(&bytes)
        && (encoding == UTF_16LE || encoding == UTF_16BE)
    {
        return decode_as(path, &bytes, encoding.name());
    }
    let mark = if Encoding::for_bom(&bytes).is_some_and(|(e, _)| e == UTF_8) { 3 } else { 0 };
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            text.drain(..mark);
            if text.contains('\0') {
                let message =
                    "holds zeros as UTF-16 does; name its encoding, as `data.encoding=utf-16le`";
                return Err(Error::data(path, message));
            }
            Ok(text)
        }
        Err(e) => {
            let valid = e.utf8_error().valid_up_to();
            let line = 1 + e.as_bytes()[..valid].iter().filter(|b| **b == b'\n').count();
            Err(Error::data(
                path,
                format!(
                    "line {line} is not UTF-8; name the encoding of the text, as \
                     `data.encoding=latin1` (Western European, Windows-1252), or utf-16le, \
                     windows-1250, shift_jis, …"
                ),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn read(bytes: &[u8], encoding: Option<&str>) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, bytes).unwrap();
        read_text(&path, encoding)
    }

    #[test]
    fn text_is_decoded_as_it_is_marked_or_as_it_is_said() {
        assert_eq!(read("\u{feff}gr\u{f6}\u{df}e".as_bytes(), None).unwrap(), "größe");
        let wide: Vec<u8> = "\u{feff}größe".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}größe".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&wide, &big] {
            assert_eq!(read(bytes, None).unwrap(), "größe");
            assert_eq!(read(bytes, Some("utf-16")).unwrap(), "größe");
        }
        assert_eq!(read(&wide[2..], Some("utf-16")).unwrap(), "größe");
        for label in ["latin1", "windows-1252", "ISO-8859-1"] {
            assert_eq!(read(b"gr\xf6\xdfe", Some(label)).unwrap(), "größe");
        }
    }

    #[test]
    fn text_of_another_encoding_names_line_and_key() {
        let error_of = |bytes: &[u8], encoding| read(bytes, encoding).unwrap_err().to_string();
        let error = error_of(b"a,b\n1,2\ngr\xf6\xdfe,1\n", None);
        assert!(
            error.contains("t.csv: line 3 is not UTF-8") && error.contains("data.encoding=latin1"),
            "{error}"
        );
        let wide: Vec<u8> = "a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(error_of(&wide, None).contains("data.encoding=utf-16le"));
        let error = error_of(b"\xff", Some("utf-8"));
        assert!(error.ends_with("is no text in the encoding UTF-8"), "{error}");
        assert!(
            error_of(b"a", Some("lattin"))
                .starts_with("there is no encoding `lattin`\n  at encoding")
        );
    }

    #[test]
    fn a_packed_text_is_unpacked_and_a_damaged_one_refused() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(b"x\n1\n").unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(read(&packed, None).unwrap(), "x\n1\n");
        let error = read(&packed[..packed.len() - 9], None).unwrap_err().to_string();
        assert!(error.contains("is a damaged gzip file"), "{error}");
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for _ in 0..65 {
            bomb.write_all(&vec![b'0'; 1 << 20]).unwrap();
        }
        let error = read(&bomb.finish().unwrap(), None).unwrap_err().to_string();
        assert!(error.contains("to more than 67108864 bytes, more than 200 times"), "{error}");
    }
}

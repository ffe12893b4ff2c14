//! Arrays of texts in an `.npz`, as numpy stores them: names of classes, or labels in words.

use std::io::Write as _;
use std::path::Path;

use npyz::npz::NpzWriter;
use npyz::{DType, TypeChar, WriteOptions, WriterBuilder};

use super::npz::{Opened, open, position, read_file};
use super::npz_entry::Entry;
use super::packed::check_unpacked;
use crate::{Error, Result};

/// Reads the texts `[n]` of the array called `name` of an `.npy` or `.npz`; `None` if it holds
/// anything else.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read or is damaged, or it has no such array.
pub fn read_texts(path: &Path, name: &str) -> Result<Option<Vec<String>>> {
    let place = position(path, name)?;
    match open(path)? {
        Opened::Npy(file, size) => texts(path, name, file, size),
        Opened::Npz(mut archive) => {
            let entry = archive
                .zip_archive()
                .by_index(place)
                .map_err(|e| Error::data(path, format!("is a damaged .npz archive: {e}")))?;
            let size = entry.size();
            check_unpacked(path, &format!("array `{name}` "), entry.compressed_size(), size)?;
            texts(path, name, entry, size)
        }
    }
}

/// Reads the texts of one array; `size` counts its bytes, header included.
fn texts(
    path: &Path,
    name: &str,
    reader: impl std::io::Read,
    size: u64,
) -> Result<Option<Vec<String>>> {
    let wrong = |what: String| Error::data(path, format!("array `{name}` is damaged: {what}"));
    let file = read_file(reader).map_err(wrong)?;
    let dtype = file.dtype();
    let DType::Plain(plain) = &dtype else { return Ok(None) };
    let width = match plain.type_char() {
        TypeChar::UnicodeStr => plain.size_field().checked_mul(4),
        TypeChar::ByteStr => Some(plain.size_field()),
        _ => return Ok(None),
    };
    let [rows] = file.shape()[..] else { return Ok(None) };
    if width.and_then(|width| width.checked_mul(rows)).is_none_or(|bytes| bytes > size) {
        return Err(wrong(format!("its header claims {rows} texts, more than it has bytes for")));
    }
    file.into_vec::<String>().map(Some).map_err(|e| wrong(e.to_string()))
}

/// Adds texts `[n]` to an archive, in numpy's type `<U`.
pub(super) fn write_texts<W: std::io::Write + std::io::Seek>(
    archive: &mut NpzWriter<W>,
    name: &str,
    texts: &[String],
) -> std::io::Result<()> {
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or_default().max(1);
    let dtype = format!("<U{longest}").parse().map_err(std::io::Error::other)?;
    let mut entry = Entry::begin(archive, name, longest as u64 * 4 * texts.len() as u64)?;
    let options = WriteOptions::new().dtype(DType::Plain(dtype)).shape(&[texts.len() as u64]);
    let mut writer = options.writer(entry.clone()).begin_nd()?;
    for text in texts {
        writer.push(text.as_str())?;
    }
    writer.finish()?;
    entry.flush()
}

#[cfg(test)]
mod tests {
    use super::super::NamedArray;
    use super::super::npz::{read_array, write_npz_with};
    use super::*;

    #[test]
    fn texts_come_back_and_numbers_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let classes = ["red", "größe", "", "a b"].map(str::to_owned);
        let numbers = NamedArray::new("y", vec![2], vec![0_i64, 3]).unwrap();
        write_npz_with(&path, std::slice::from_ref(&numbers), &[("classes", classes.to_vec())])
            .unwrap();
        assert_eq!(read_texts(&path, "classes").unwrap().unwrap(), classes);
        assert_eq!(read_texts(&path, "y").unwrap(), None);
        assert_eq!(read_array(&path, "y").unwrap(), numbers);
        assert!(read_texts(&path, "z").is_err());
    }
}

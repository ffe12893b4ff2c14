//! Safetensors files: named arrays with a map of texts, the metadata. The header is written with
//! sorted keys, so that the same content gives the same bytes, and values are aligned to eight
//! bytes, as the format requires. Half precision is read as float32.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::array::{SUPPORTED, Value, check_all, dtypes, match_values, with_values};
use super::digest::{self, Digest};
use super::input::open_regular;
use super::{ArrayData, NamedArray, write_atomically};
use crate::disk::{DiskRows, Layout};
use crate::{Error, Result, memory};

/// The content of a safetensors file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafetensorsFile {
    /// The arrays, sorted by name.
    pub arrays: Vec<NamedArray>,
    /// The metadata, without digests.
    pub metadata: BTreeMap<String, String>,
}

/// Reads a whole file.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read, is damaged or in another format, has an array of a
/// type that is not supported, or does not fit into memory.
pub fn read_safetensors(path: &Path) -> Result<SafetensorsFile> {
    let header = Header::read(path)?;
    let names = header.names();
    let arrays = names.iter().map(|name| header.array(name)).collect::<Result<_>>()?;
    Ok(SafetensorsFile { arrays, metadata: header.texts() })
}

/// Reads only the metadata, from the start of the file.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read, its header is damaged, or it is in another format.
pub fn read_safetensors_metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    Ok(Header::read(path)?.texts())
}

/// Parses a list of texts from a value of the metadata, in JSON; `None` if it is anything else.
pub fn texts_of(metadata: &str) -> Option<Vec<String>> {
    serde_json::from_str(metadata).ok()
}

/// Value of the metadata for a list of texts, in JSON.
pub fn text_of(texts: &[String]) -> String {
    serde_json::json!(texts).to_string()
}

/// Lists the names of the arrays, sorted.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read, its header is damaged, or it is in another format.
pub fn list_names(path: &Path) -> Result<Vec<String>> {
    Ok(Header::read(path)?.names())
}

/// Opens the rows of the array called `name`, which stay in the file; `None` for a list of
/// integers, one for each row, which is small enough to be read. If the file has a digest of the
/// array, all of it is read once and checked.
///
/// # Errors
/// [`Error::Config`]: the array would have to be converted. [`Error::Data`]: the file cannot be
/// read or is damaged, or it has no such array.
pub fn disk_rows(path: &Path, name: &str) -> Result<Option<DiskRows>> {
    let header = Header::read(path)?;
    let info = header.find(name)?;
    let (start, end) = header.place(info);
    let (dtype, shape) = (numpy_name(info.dtype), info.shape.clone());
    if header.sealed {
        let digest = Digest::of_range(&header.file, start, end);
        header.check(name, &digest.map_err(|e| unreadable(path, &e))?)?;
    }
    DiskRows::new(path, name, header.file, Layout { shape: &shape, dtype: &dtype, start })
}

/// Reads the array called `name` and no other.
///
/// # Errors
/// [`Error::Data`]: there is no such array (the message lists the others), or one of those of
/// [`read_safetensors`].
pub fn read_array(path: &Path, name: &str) -> Result<NamedArray> {
    Header::read(path)?.array(name)
}

/// Header of a file after the check that its arrays follow one another up to the end of the file.
struct Header<'p> {
    path: &'p Path,
    file: File,
    /// Position in the file where the first array begins.
    start: u64,
    arrays: Metadata,
    texts: BTreeMap<String, String>,
    /// True if the file has digests.
    sealed: bool,
}

impl<'p> Header<'p> {
    fn read(path: &'p Path) -> Result<Self> {
        let damaged = |what: &str| damaged(path, what);
        let (file, total) = open_regular(path)?;
        let mut head = Vec::new();
        (&file).take(8).read_to_end(&mut head).map_err(|e| unreadable(path, &e))?;
        let length: [u8; 8] = head[..].try_into().map_err(|_| damaged("it is too short"))?;
        let length = u64::from_le_bytes(length);
        if total.checked_sub(8).is_none_or(|rest| length > rest) {
            return Err(damaged("its header is longer than the file"));
        }
        if length > LONGEST_HEADER {
            return Err(damaged(&format!("its header claims {length} bytes")));
        }
        (&file).take(length).read_to_end(&mut head).map_err(|e| unreadable(path, &e))?;
        let arrays: Metadata =
            serde_json::from_slice(&head[8..]).map_err(|e| damaged(&e.to_string()))?;
        let start = 8 + length;
        if total - start != arrays.data_len() as u64 {
            return Err(damaged("its arrays do not end at its end"));
        }
        let texts = arrays.metadata().iter().flatten();
        let texts: BTreeMap<_, _> = texts.map(|(k, v)| (k.clone(), v.clone())).collect();
        let sealed = digest::check_header(&head, &texts).map_err(|what| damaged(&what))?;
        Ok(Self { path, file, start, arrays, texts, sealed })
    }

    /// Names of the arrays, sorted.
    fn names(&self) -> Vec<String> {
        let mut names = self.arrays.offset_keys();
        names.sort();
        names
    }

    /// The metadata without the digests.
    fn texts(&self) -> BTreeMap<String, String> {
        let texts = self.texts.iter().filter(|(key, _)| !digest::is_ours(key));
        texts.map(|(key, text)| (key.clone(), text.clone())).collect()
    }

    fn find(&self, name: &str) -> Result<&TensorInfo> {
        self.arrays.info(name).ok_or_else(|| {
            let known = self.names().join(", ");
            Error::data(self.path, format!("there is no array `{name}`; known arrays: {known}"))
        })
    }

    /// Positions in the file where an array begins and ends.
    fn place(&self, info: &TensorInfo) -> (u64, u64) {
        let (from, to) = info.data_offsets;
        (self.start + from as u64, self.start + to as u64)
    }

    /// Checks that the digest of an array is the one that was written.
    fn check(&self, name: &str, found: &str) -> Result<()> {
        if self.texts.get(&digest::key_of(name)).is_some_and(|written| written == found) {
            return Ok(());
        }
        Err(damaged(self.path, &format!("array `{name}` is not what was written")))
    }

    fn array(&self, name: &str) -> Result<NamedArray> {
        let wrong = |what: String| Error::data(self.path, format!("array `{name}` {what}"));
        let info = self.find(name)?;
        let (start, end) = self.place(info);
        // They are needed twice: as bytes of the file, and as values.
        let what = format!("array `{name}` ");
        memory::check_file(self.path, &what, 2 * (end - start))?;
        let mut bytes = vec![0; (end - start) as usize];
        self.file.read_exact_at(&mut bytes, start).map_err(|e| unreadable(self.path, &e))?;
        if self.sealed {
            self.check(name, &Digest::of(&bytes))?;
        }
        let data = decode(info.dtype, &bytes).map_err(wrong)?;
        NamedArray::new(name, info.shape.clone(), data).map_err(|e| wrong(e.to_string()))
    }
}

/// Largest size of a header in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

fn damaged(path: &Path, what: &str) -> Error {
    Error::data(path, format!("is no safetensors file, or damaged: {what}"))
}

fn unreadable(path: &Path, e: &std::io::Error) -> Error {
    Error::data(path, format!("cannot be read: {e}"))
}

/// Name of a type in numpy, such as `float32`, or in lower case that of the format for types that
/// numpy does not have.
fn numpy_name(dtype: Dtype) -> String {
    macro_rules! by_format {
        (; $($variant:ident $type:ty, $name:literal, $letter:ident, $format:ident;)*) => {
            match dtype {
                $(Dtype::$format => $name.to_owned(),)*
                other => format!("{other:?}").to_lowercase(),
            }
        };
    }
    dtypes!(by_format)
}

/// Writes arrays with different names and metadata, whole or not at all, with digests that let a
/// reader detect damage.
///
/// # Errors
/// [`Error::Runtime`]: two arrays have the same name, a shape does not fit its values, or a name or
/// key is reserved. [`Error::Io`]: the file cannot be written.
pub fn write_safetensors(
    path: &Path,
    arrays: &[NamedArray],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    check_all(arrays)?;
    if arrays.iter().any(|a| a.name == "__metadata__") {
        return Err(Error::runtime(
            "an array in a safetensors file cannot be called `__metadata__`",
        ));
    }
    if let Some(key) = metadata.keys().find(|key| digest::is_ours(key)) {
        return Err(Error::runtime(format!("a text beside arrays cannot be called `{key}`")));
    }
    // Wider types come first, so that every array starts at a multiple of its width.
    let mut sorted: Vec<&NamedArray> = arrays.iter().collect();
    sorted.sort_by(|a, b| {
        dtype_of(&b.data).cmp(&dtype_of(&a.data)).then_with(|| a.name.cmp(&b.name))
    });

    let mut header = serde_json::Map::new();
    let mut insert = |key: &str, value: serde_json::Result<serde_json::Value>| match value {
        Ok(value) => {
            header.insert(key.to_owned(), value);
            Ok(())
        }
        Err(e) => {
            Err(Error::runtime(format!("the header of a safetensors file cannot be written: {e}")))
        }
    };
    let mut texts = metadata.clone();
    texts.extend([digest::placeholder()]);
    for array in &sorted {
        let mut digest = Digest::default();
        with_values!(&array.data, values => put(&mut digest, values))
            .map_err(|e| Error::runtime(e.to_string()))?;
        texts.insert(digest::key_of(&array.name), digest.finish());
    }
    insert("__metadata__", serde_json::to_value(&texts))?;
    let mut start = 0;
    for array in &sorted {
        let dtype = dtype_of(&array.data);
        let end = start + array.data.len() * dtype.bitsize() / 8;
        let info = TensorInfo { dtype, shape: array.shape.clone(), data_offsets: (start, end) };
        insert(&array.name, serde_json::to_value(info))?;
        start = end;
    }
    let mut head = serde_json::Value::Object(header).to_string().into_bytes();
    head.resize(head.len().next_multiple_of(8), b' ');
    let mut head = [&(head.len() as u64).to_le_bytes(), &head[..]].concat();
    digest::seal(&mut head);

    write_atomically(path, |file| {
        file.write_all(&head)?;
        sorted.iter().try_for_each(|array| with_values!(&array.data, values => put(file, values)))
    })
}

fn put<T: Value>(file: &mut impl Write, values: &[T]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for run in values.chunks(4096) {
        bytes.clear();
        run.iter().for_each(|v| v.put(&mut bytes));
        file.write_all(&bytes)?;
    }
    Ok(())
}

fn dtype_of(data: &ArrayData) -> Dtype {
    macro_rules! by_variant {
        (; $($variant:ident $type:ty, $name:literal, $letter:ident, $format:ident;)*) => {
            match data {
                $(ArrayData::$variant(_) => Dtype::$format,)*
            }
        };
    }
    dtypes!(by_variant)
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = [u8; 2]> {
    bytes.as_chunks().0.iter().copied()
}

fn decode(dtype: Dtype, bytes: &[u8]) -> Result<ArrayData, String> {
    fn get<T: Value>(bytes: &[u8]) -> Result<ArrayData, String>
    where
        ArrayData: From<Vec<T>>,
    {
        let values: Option<Vec<T>> = bytes.chunks_exact(size_of::<T>()).map(T::get).collect();
        values
            .map(ArrayData::from)
            .ok_or_else(|| "is damaged: a truth value is neither 0 nor 1".to_owned())
    }
    macro_rules! by_format {
        (; $($variant:ident $type:ty, $name:literal, $letter:ident, $format:ident;)*) => {
            match dtype {
                $(Dtype::$format => get::<$type>(bytes),)*
                Dtype::F16 => Ok(ArrayData::widened(pairs(bytes).map(half::f16::from_le_bytes))),
                Dtype::BF16 => Ok(ArrayData::widened(pairs(bytes).map(half::bf16::from_le_bytes))),
                other => Err(format!(
                    "has dtype {other}, which is not supported: save it as one of {SUPPORTED}"
                )),
            }
        };
    }
    dtypes!(by_format)
}

#[cfg(test)]
mod tests;

//! NumPy's files: one array in an `.npy`, several with names in an `.npz`. Arrays are read into C
//! order from any order and byte order. Archives are written with deflate and without times, so
//! that the same arrays give the same bytes.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write as _};
use std::path::Path;

use npyz::npz::{NpzArchive, NpzWriter, array_name_from_file_name};
use npyz::{DType, NpyFile, Order, TypeChar, WriteOptions, WriterBuilder};

use super::array::{SUPPORTED, check_all, dtypes, element_count, match_values, with_values};
use super::first_failure::FirstFailure;
use super::input::open_regular;
use super::npz_entry::Entry;
use super::packed::check_unpacked;
use super::texts::write_texts;
use super::{ArrayData, NamedArray, write_atomically};
use crate::disk::{DiskRows, Layout, unstorable};
use crate::{Error, Result, memory};

/// Reads all arrays of an `.npz`, in the order of the file, or the one array of an `.npy`, which is
/// named after the file. The format is recognised by the first bytes.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read, is damaged or in another format, has an array of a
/// type that is not supported, or does not fit into memory.
pub fn read_arrays(path: &Path) -> Result<Vec<NamedArray>> {
    match open(path)? {
        Opened::Npy(file, length) => Ok(vec![read_npy(path, &stem(path), file, length)?]),
        Opened::Npz(mut archive) => {
            let count = archive.zip_archive().len();
            (0..count).filter_map(|i| read_entry(path, &mut archive, i).transpose()).collect()
        }
    }
}

/// Reads the array called `name`.
///
/// # Errors
/// [`Error::Data`]: there is no such array (the message lists the others), or one of those of
/// [`read_arrays`].
pub fn read_array(path: &Path, name: &str) -> Result<NamedArray> {
    let position = position(path, name)?;
    let array = match open(path)? {
        Opened::Npy(file, length) => Some(read_npy(path, name, file, length)?),
        Opened::Npz(mut archive) => read_entry(path, &mut archive, position)?,
    };
    array.ok_or_else(|| Error::data(path, format!("there is no array `{name}`")))
}

/// Opens the rows of the array called `name`, which stay in the file; `None` for a list of
/// integers, one for each row, which is small enough to be read.
///
/// # Errors
/// [`Error::Config`]: the array would have to be unpacked or converted. [`Error::Data`]: the file
/// cannot be read or is damaged, or it has no such array.
pub fn disk_rows(path: &Path, name: &str) -> Result<Option<DiskRows>> {
    let wrong = |what: String| Error::data(path, format!("array `{name}` {what}"));
    let damaged = |e: std::io::Error| wrong(format!("is damaged: {e}"));
    let (head, start, compressed) = match open(path)? {
        Opened::Npy(mut file, _) => (read_head(&mut file).map_err(damaged)?, 0, false),
        Opened::Npz(mut archive) => {
            let position = position(path, name)?;
            let mut entry = archive
                .zip_archive()
                .by_index(position)
                .map_err(|e| Error::data(path, format!("is a damaged .npz archive: {e}")))?;
            let compressed = entry.compression() != zip::CompressionMethod::Stored;
            let start = entry.data_start();
            (read_head(&mut entry).map_err(damaged)?, start, compressed)
        }
    };
    if !shape_is_countable(&head) {
        return Err(wrong("is damaged: its shape is too large".to_owned()));
    }
    let header = NpyFile::new(&head[..]).map_err(damaged)?;
    let shape: Vec<usize> =
        header.shape().iter().map(|n| usize::try_from(*n).unwrap_or(usize::MAX)).collect();
    let dtype = dtype_name(&header.dtype());
    let is_list = shape.len() == 1;
    let start = start + head.len() as u64;
    let (file, _) = open_regular(path)?;
    let rows = DiskRows::new(path, name, file, Layout { shape: &shape, dtype: &dtype, start });
    match rows {
        // A list of integers is read, so it may be packed.
        Ok(None) => Ok(None),
        _ if compressed => Err(unstorable(path, name, "is compressed")),
        _ if header.order() == Order::Fortran && !is_list => {
            Err(unstorable(path, name, "lies in Fortran order"))
        }
        rows => rows,
    }
}

/// Name of a type in numpy, such as `float32`; the description in the file for types that are not
/// little-endian or no plain numbers.
fn dtype_name(dtype: &DType) -> String {
    let DType::Plain(plain) = dtype else { return dtype.descr() };
    let kind = match plain.type_char() {
        TypeChar::Float => "float",
        TypeChar::Int => "int",
        TypeChar::Uint => "uint",
        TypeChar::Bool => return "bool".to_owned(),
        _ => return dtype.descr(),
    };
    match plain.endianness() {
        npyz::Endianness::Big if kind == "float" => dtype.descr(),
        _ => format!("{kind}{}", 8 * plain.size_field()),
    }
}

/// Position of the array called `name` among the entries of the file. The error lists the known
/// names.
pub(super) fn position(path: &Path, name: &str) -> Result<usize> {
    let names = array_names(path)?;
    names.iter().position(|n| n.as_deref() == Some(name)).ok_or_else(|| {
        let known = names.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
        Error::data(path, format!("there is no array `{name}`; known arrays: {known}"))
    })
}

/// Lists the names of the arrays, in the order of the file.
///
/// # Errors
/// [`Error::Data`]: the file cannot be read, is damaged or in another format.
pub fn list_names(path: &Path) -> Result<Vec<String>> {
    Ok(array_names(path)?.into_iter().flatten().collect())
}

/// Writes an `.npz` of arrays with different names, whole or not at all.
///
/// # Errors
/// [`Error::Runtime`]: two arrays have the same name, or a shape does not fit its values.
/// [`Error::Io`]: the file cannot be written.
pub fn write_npz(path: &Path, arrays: &[NamedArray]) -> Result<()> {
    write_npz_with(path, arrays, &[])
}

/// Writes an `.npz` of arrays, followed by lists of texts under their names, whole or not at all.
///
/// # Errors
/// Those of [`write_npz`].
pub fn write_npz_with(
    path: &Path,
    arrays: &[NamedArray],
    texts: &[(&str, Vec<String>)],
) -> Result<()> {
    check_all(arrays)?;
    write_atomically(path, |file| write_archive(file, arrays, texts))
}

fn write_archive<W: std::io::Write + Seek>(
    file: W,
    arrays: &[NamedArray],
    texts: &[(&str, Vec<String>)],
) -> std::io::Result<()> {
    let mut file = FirstFailure::new(file);
    let done = write_into(&mut file, arrays, texts);
    file.ended(done)
}

fn write_into<W: std::io::Write + Seek>(
    file: W,
    arrays: &[NamedArray],
    texts: &[(&str, Vec<String>)],
) -> std::io::Result<()> {
    let mut archive = NpzWriter::new(file);
    for array in arrays {
        let shape: Vec<u64> = array.shape.iter().map(|d| *d as u64).collect();
        with_values!(&array.data, values => {
            let size = size_of_val(&values[..]) as u64;
            write_entry(&mut archive, &array.name, &shape, values, size)?;
        });
    }
    for (name, texts) in texts {
        write_texts(&mut archive, name, texts)?;
    }
    archive.zip_writer().finish().map_err(std::io::Error::from)?;
    Ok(())
}

fn write_entry<W, T>(
    archive: &mut NpzWriter<W>,
    name: &str,
    shape: &[u64],
    values: &[T],
    size: u64,
) -> std::io::Result<()>
where
    W: std::io::Write + Seek,
    T: npyz::AutoSerialize + Copy,
{
    let mut entry = Entry::begin(archive, name, size)?;
    let options = WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(entry.clone()).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    entry.flush()
}

pub(super) enum Opened {
    /// An `.npy`, with its length in bytes.
    Npy(BufReader<File>, u64),
    Npz(NpzArchive<BufReader<File>>),
}

pub(super) fn open(path: &Path) -> Result<Opened> {
    let unreadable = |e: std::io::Error| Error::data(path, format!("cannot be read: {e}"));
    let (file, length) = open_regular(path)?;
    let mut file = BufReader::new(file);
    let mut start = Vec::new();
    file.by_ref().take(6).read_to_end(&mut start).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    match &start[..] {
        b"\x93NUMPY" => Ok(Opened::Npy(file, length)),
        [b'P', b'K', ..] => NpzArchive::new(file)
            .map(Opened::Npz)
            .map_err(|e| Error::data(path, format!("is a damaged .npz archive: {e}"))),
        _ => Err(Error::data(path, "is neither an .npy nor an .npz file")),
    }
}

/// Name of each entry of the file; `None` for an entry that is no array.
fn array_names(path: &Path) -> Result<Vec<Option<String>>> {
    match open(path)? {
        Opened::Npy(..) => Ok(vec![Some(stem(path))]),
        Opened::Npz(mut archive) => {
            let zip = archive.zip_archive();
            let count = zip.len();
            let name = |i| match zip.by_index_raw(i) {
                Ok(entry) => Ok(array_name_from_file_name(entry.name()).map(str::to_owned)),
                Err(e) => Err(Error::data(path, format!("is a damaged .npz archive: {e}"))),
            };
            (0..count).map(name).collect()
        }
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads the array at a position; `None` if the entry is no array.
fn read_entry(
    path: &Path,
    archive: &mut NpzArchive<BufReader<File>>,
    position: usize,
) -> Result<Option<NamedArray>> {
    let entry = archive
        .zip_archive()
        .by_index(position)
        .map_err(|e| Error::data(path, format!("is a damaged .npz archive: {e}")))?;
    let Some(name) = array_name_from_file_name(entry.name()).map(str::to_owned) else {
        return Ok(None);
    };
    let length = entry.size();
    check_unpacked(path, &format!("array `{name}` "), entry.compressed_size(), length)?;
    read_npy(path, &name, BufReader::with_capacity(1 << 16, entry), length).map(Some)
}

/// Reads an array from `reader`, which claims to have `length` bytes.
fn read_npy(path: &Path, name: &str, mut reader: impl Read, length: u64) -> Result<NamedArray> {
    let wrong = |what: String| Error::data(path, format!("array `{name}` {what}"));
    let damaged = |e: std::io::Error| wrong(format!("is damaged: {e}"));
    let head = read_head(&mut reader).map_err(damaged)?;
    if !shape_is_countable(&head) {
        return Err(wrong("is damaged: its shape is too large".to_owned()));
    }
    let before = head.len() as u64;
    let file = NpyFile::new(Cursor::new(head).chain(&mut reader)).map_err(damaged)?;
    let shape: Option<Vec<usize>> = file.shape().iter().map(|d| usize::try_from(*d).ok()).collect();
    let count = shape.as_deref().and_then(element_count);
    let (Some(shape), Some(count)) = (shape, count) else {
        return Err(wrong("is damaged: its shape is too large".to_owned()));
    };
    let order = file.order();
    let dtype = file.dtype();
    let (kind, size) = match &dtype {
        DType::Plain(scalar) => (Some(scalar.type_char()), scalar.size_field()),
        _ => (None, 0),
    };

    let Some(bytes) = (count as u64).checked_mul(size) else {
        return Err(wrong(format!("is damaged: its shape {shape:?} is too large")));
    };
    let fits = || -> Result<()> {
        let found = length.saturating_sub(before);
        if bytes != found {
            return Err(wrong(format!(
                "is damaged: its shape needs {bytes} bytes, but {found} are there"
            )));
        }
        // Conversion from Fortran order makes a second copy.
        let copies = if order == Order::Fortran { 2 } else { 1 };
        memory::check_file(path, &format!("array `{name}` "), bytes.saturating_mul(copies))
    };
    macro_rules! values {
        ($type:ty) => {{
            fits()?;
            let values: Vec<$type> = file.into_vec().map_err(damaged)?;
            ArrayData::from(if order == Order::Fortran {
                to_c_order(&values, &shape)
            } else {
                values
            })
        }};
    }
    macro_rules! by_letter {
        (; $($variant:ident $type:ty, $name:literal, $letter:ident, $format:ident;)*) => {
            match (kind, size) {
                $((Some(TypeChar::$letter), n) if n == size_of::<$type>() as u64 => values!($type),)*
                (Some(TypeChar::Float), 2) => values!(half::f16),
                _ => {
                    return Err(wrong(format!(
                        "has dtype {}, which is not supported: save it as one of {SUPPORTED}",
                        dtype.descr()
                    )));
                }
            }
        };
    }
    let data = dtypes!(by_letter);
    // The checksum of an archive's entry is verified only at its end.
    if reader.read(&mut [0]).map_err(damaged)? > 0 {
        return Err(wrong("is damaged: more values follow than its shape holds".to_owned()));
    }
    NamedArray::new(name, shape, data).map_err(|e| wrong(e.to_string()))
}

/// An array whose header was read and is put in front again.
type Array<R> = NpyFile<std::io::Chain<Cursor<Vec<u8>>, R>>;

/// Reads the header of an array; the error describes the damage.
pub(super) fn read_file<R: Read>(mut reader: R) -> std::result::Result<Array<R>, String> {
    let head = read_head(&mut reader).map_err(|e| e.to_string())?;
    if !shape_is_countable(&head) {
        return Err("its shape is too large".to_owned());
    }
    NpyFile::new(Cursor::new(head).chain(reader)).map_err(|e| e.to_string())
}

/// Largest size of a description in bytes; numpy itself accepts 10,000.
const LONGEST_HEAD: u64 = 1 << 16;
const MOST_BRACKETS: usize = 100;
/// Depth of its brackets: shapes have 2, records within records a few.
const DEEPEST: i32 = 8;

/// Reads everything before the values: magic, version, length of the description, description.
fn read_head(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = vec![0; 10];
    reader.read_exact(&mut head)?;
    let mut length = u64::from(u16::from_le_bytes([head[8], head[9]]));
    if head[6] >= 2 {
        let mut upper = [0; 2];
        reader.read_exact(&mut upper)?;
        head.extend(upper);
        length |= u64::from(u16::from_le_bytes(upper)) << 16;
    }
    if length > LONGEST_HEAD {
        let message = format!("its header claims {length} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
    }
    let end = head.len() as u64 + length;
    reader.take(length).read_to_end(&mut head)?;
    if (head.len() as u64) < end {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    if !brackets_are_few(&head) {
        let message = "its header is no description of an array";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
    }
    Ok(head)
}

/// True if a header has the brackets of a description, which is one map. The reading library
/// recurses into them, and tries what is inside twice for each that might be a map or a set.
fn brackets_are_few(head: &[u8]) -> bool {
    let (mut depth, mut deepest, mut all, mut maps) = (0_i32, 0, 0, 0);
    for byte in head {
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                all += 1;
                maps += usize::from(*byte == b'{');
                deepest = deepest.max(depth);
            }
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    deepest <= DEEPEST && all <= MOST_BRACKETS && maps <= 1
}

/// True if the product of the shape, without its zeros, does not overflow. The reading library
/// multiplies unchecked, so this is checked first; texts that are no shape are left to it.
fn shape_is_countable(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let Some((_, shape)) = text.split_once("'shape'").and_then(|(_, rest)| rest.split_once('('))
    else {
        return true;
    };
    let shape = shape.split(')').next().unwrap_or_default();
    let lengths = shape.split(',').map(|n| n.trim().trim_end_matches('L'));
    let mut lengths = lengths.filter(|n| !n.is_empty()).map(|n| n.parse::<u64>().map(|n| n.max(1)));
    lengths.try_fold(1_u64, |all, n| all.checked_mul(n.ok()?)).is_some()
}

/// Reorders values from Fortran order (the first index moves fastest) to C order.
fn to_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0; shape.len()];
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for length in shape {
        strides.push(stride);
        stride *= length;
    }
    let mut at = 0;
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[at]);
        for k in (0..shape.len()).rev() {
            index[k] += 1;
            at += strides[k];
            if index[k] < shape[k] {
                break;
            }
            at -= strides[k] * shape[k];
            index[k] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests;

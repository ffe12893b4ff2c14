//! NumPy's files: one array in an `.npy`, several with names in an `.npz`. Arrays are read into C
//! order from any order and byte order. Archives are written with deflate and without times, so
//! that the same arrays give the same bytes.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use npyz::npz::{NpzArchive, NpzWriter, array_name_from_file_name};
use npyz::{DType, NpyFile, Order, TypeChar, WriterBuilder};

use super::array::{SUPPORTED, check_all, dtypes, element_count, match_values, with_values};
use super::first_failure::FirstFailure;
use super::input::open_regular;
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
    texts: &[(&str, &[String])],
) -> Result<()> {
    check_all(arrays)?;
    write_atomically(path, |file| write_archive(file, arrays, texts))
}

fn write_archive<W: std::io::Write + Seek>(
    file: W,
    arrays: &[NamedArray],
    texts: &[(&str, &[String])],
) -> std::io::Result<()> {
    let mut file = FirstFailure::new(file);
    let done = write_into(&mut file, arrays, texts);
    file.ended(done)
}

fn write_into<W: std::io::Write + Seek>(
    file: W,
    arrays: &[NamedArray],
    texts: &[(&str, &[String])],
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

/// Options of a zip entry of `size` bytes.
pub(super) fn entry_options(size: u64) -> zip::write::FileOptions {
    zip::write::FileOptions::default()
        .last_modified_time(zip::DateTime::default())
        .large_file(size >= 1 << 31)
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
    let mut writer =
        archive.array(name, entry_options(size))?.default_dtype().shape(shape).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()
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
                "is damaged: its shape is of {bytes} bytes, and {found} are there"
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
        return Err(wrong("is damaged: values follow that are not of its shape".to_owned()));
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
    // The reading library recurses into brackets.
    if head.iter().filter(|byte| b"([{".contains(byte)).count() > MOST_BRACKETS {
        let message = "its header is no description of an array";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
    }
    Ok(head)
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
mod tests {
    use super::super::read_texts;
    use super::*;
    use std::io::Write;

    fn array(name: &str, shape: &[usize], data: impl Into<ArrayData>) -> NamedArray {
        NamedArray::new(name, shape.to_vec(), data).unwrap()
    }

    fn samples() -> Vec<NamedArray> {
        vec![
            array("z", &[2, 3], vec![1.5_f32, -2.0, f32::MIN_POSITIVE, 3.0, f32::INFINITY, 0.1]),
            array("a/deep name", &[], vec![f64::MAX]),
            array("labels", &[3], vec![i64::MIN, 0, i64::MAX]),
            array("empty", &[0, 4], Vec::<f64>::new()),
            array("i32", &[1, 1, 2], vec![1_i32, -1]),
            array("i16", &[2], vec![1_i16, -1]),
            array("i8", &[2], vec![1_i8, -1]),
            array("u64", &[1], vec![u64::MAX]),
            array("u32", &[1], vec![u32::MAX]),
            array("u16", &[1], vec![u16::MAX]),
            array("u8", &[2], vec![0_u8, 255]),
            array("bool", &[2], vec![true, false]),
        ]
    }

    /// An .npy as numpy writes it.
    fn npy(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let text =
            format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(values);
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Vec<NamedArray>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, bytes).unwrap();
        read_arrays(&path)
    }

    fn message(bytes: &[u8]) -> String {
        read_bytes(bytes).unwrap_err().to_string()
    }

    /// An archive of one array whose header claims `shape`, of `values` zeros.
    fn claiming(path: &Path, shape: &str, values: usize) {
        let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
        archive.start_file("x.npy", zip::write::FileOptions::default()).unwrap();
        archive.write_all(&npy("'<f4'", false, shape, &vec![0; 4 * values])).unwrap();
        archive.finish().unwrap();
    }

    #[test]
    fn a_shape_that_the_file_does_not_hold_is_refused_before_anything_is_allocated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        for shape in
            ["(4611686018427387904,)", "(4611686018427387904, 4)", "(3000000000, 2)", "(1,)"]
        {
            claiming(&path, shape, 2);
            for told in [read_array(&path, "x").map(|_| ()), disk_rows(&path, "x").map(|_| ())] {
                let told = told.unwrap_err().to_string();
                assert!(told.contains("x.npz") && told.contains("array `x`"), "{shape}: {told}");
            }
        }
        claiming(&path, "(3000000000, 2)", 2);
        let told = read_array(&path, "x").unwrap_err().to_string();
        let why = "is damaged: its shape is of 24000000000 bytes, and 8 are there";
        assert!(told.ends_with(why), "{told}");
        // 32 MiB that fill 32 KiB, of which two are asked for.
        claiming(&path, "(2,)", 1 << 23);
        assert!(std::fs::metadata(&path).unwrap().len() < 1 << 16);
        let told = read_array(&path, "x").unwrap_err().to_string();
        assert!(told.ends_with("its shape is of 8 bytes, and 33554432 are there"), "{told}");
        // More than any array may unpack to from so few bytes, though its shape says the same.
        claiming(&path, "(16777216,)", 1 << 24);
        for told in [read_array(&path, "x").map(|_| ()), read_texts(&path, "x").map(|_| ())] {
            let told = told.unwrap_err().to_string();
            assert!(told.contains("array `x` unpacks from ") && told.contains(" 67108"), "{told}");
        }
    }

    #[test]
    fn an_array_larger_than_memory_is_refused_though_its_file_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let rows = memory::free() / 8 + (1 << 27);
        let head = npy("'<f4'", false, &format!("({rows}, 2)"), &[]);
        std::fs::write(&path, &head).unwrap();
        // Sparse: nothing is written.
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(head.len() as u64 + 8 * rows).unwrap();
        let told = read_arrays(&path).unwrap_err().to_string();
        let needs = format!("array `x` needs {} bytes of memory (", 8 * rows);
        assert!(told.contains(&needs) && told.ends_with(" are free"), "{told}");
        assert_eq!(disk_rows(&path, "x").unwrap().unwrap().len() as u64, rows);
    }

    #[test]
    fn a_header_that_would_take_long_to_read_is_refused() {
        let deep = format!("({})", "(".repeat(2000));
        assert!(
            message(&npy("'<f4'", false, &deep, &[])).contains("is no description of an array")
        );
        let mut long = b"\x93NUMPY\x02\x00".to_vec();
        long.extend(u32::MAX.to_le_bytes());
        assert!(message(&long).contains("its header claims 4294967295 bytes"));
    }

    /// A disk of so many bytes.
    struct Disk(Cursor<Vec<u8>>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.position() as usize + bytes.len() > self.1 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Disk {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn a_disk_that_is_full_at_any_byte_is_an_error_and_no_panic() {
        let texts = ["red", "blue"].map(str::to_owned);
        let write = |bytes: usize, buffer: usize| {
            let disk = Disk(Cursor::default(), bytes);
            let mut disk = std::io::BufWriter::with_capacity(buffer, disk);
            write_archive(&mut disk, &samples(), &[("classes", &texts)])?;
            disk.flush()?;
            std::io::Result::Ok(disk.get_ref().0.get_ref().len())
        };
        let whole = write(usize::MAX, 0).unwrap();
        for bytes in (0..whole).step_by(7) {
            for buffer in [0, 16, 1 << 16] {
                let error = write(bytes, buffer).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{bytes} {buffer}");
            }
        }
        assert_eq!(write(whole, 64).unwrap(), whole);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("a.npz"), folder.path().join("b.npz"));
        write_npz(&one, &samples()).unwrap();
        assert_eq!(read_arrays(&one).unwrap(), samples());
        let names: Vec<_> = samples().into_iter().map(|a| a.name).collect();
        assert_eq!(list_names(&one).unwrap(), names);
        assert_eq!(read_array(&one, "labels").unwrap(), samples()[2]);
        let message = read_array(&one, "label").unwrap_err().to_string();
        assert!(
            message.contains("no array `label`; known arrays: z, a/deep name, labels"),
            "{message}"
        );
        write_npz(&two, &samples()).unwrap();
        let bytes = std::fs::read(one).unwrap();
        assert_eq!(bytes, std::fs::read(two).unwrap());
        assert_eq!(
            bytes[10..14],
            [0, 0, 0x21, 0],
            "midnight of 1 January 1980, whatever the clock says"
        );
    }

    #[test]
    fn an_npy_is_named_after_its_file() {
        let bytes = npy("'<i4'", false, "(2,)", &[1, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(read_bytes(&bytes).unwrap(), [array("x", &[2], vec![1_i32, -1])]);
    }

    #[test]
    fn fortran_order_and_big_endian_values_are_turned() {
        let values: Vec<u8> = (0..24_u16).flat_map(u16::to_be_bytes).collect();
        let read = read_bytes(&npy("'>u2'", true, "(2, 3, 4)", &values)).unwrap();
        let at = |i: u16, j: u16, k: u16| i + 2 * (j + 3 * k);
        let expected: Vec<u16> = (0..24).map(|n| at(n / 12, n / 4 % 3, n % 4)).collect();
        assert_eq!(read, [array("x", &[2, 3, 4], expected)]);
    }

    #[test]
    fn other_dtypes_are_refused_by_name() {
        for dtype in ["'<c8'", "'|O'", "'<U3'", "'<M8[s]'", "[('a', '<f4')]"] {
            let message = message(&npy(dtype, false, "(1,)", &[0; 16]));
            assert!(message.contains("array `x` has dtype"), "{message}");
            assert!(message.contains(dtype.trim_end_matches(")]")), "{message}");
            assert!(message.contains("save it as one of float64, float32"), "{message}");
        }
    }

    #[test]
    fn half_precision_is_read_as_float32() {
        let read = read_bytes(&npy("'<f2'", false, "(2,)", &[0x00, 0x3e, 0x01, 0x00])).unwrap();
        assert_eq!(read[0].data, vec![1.5_f32, 5.9604645e-8].into());
        let read = read_bytes(&npy("'>f2'", true, "(2, 1)", &[0x3e, 0x00, 0xc0, 0x00])).unwrap();
        assert_eq!(read[0].data, vec![1.5_f32, -2.0].into());
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let whole = npy("'<f8'", false, "(2,)", &[0; 16]);
        for length in 6..whole.len() {
            assert!(message(&whole[..length]).contains("array `x` is damaged"));
        }
        for shape in
            ["(4294967296, 4294967296)", "(0, 4294967296, 4294967296)", "(99999999999999999999,)"]
        {
            assert!(message(&npy("'<f8'", false, shape, &[])).contains("too large"), "{shape}");
        }
        assert!(message(&npy("'<f8'", false, "(1099511627776,)", &[0; 16])).contains("damaged"));
        assert!(message(&npy("'<f8'", false, "7", &[0; 16])).contains("damaged"));
        assert!(
            message(&npy("'<f8'", false, "(1,)", &[0; 16]))
                .contains("of 8 bytes, and 16 are there")
        );
        assert!(message(&npy("'|b1'", false, "(1,)", &[2])).contains("damaged"));
        assert!(message(b"").contains("neither"));
        assert!(message(b"a,b\n1,2\n").contains("neither"));
        assert!(message(b"PK\x03\x04 and no more").contains("damaged .npz"));
        assert!(
            read_arrays(Path::new("/no/such.npz"))
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }

    #[test]
    fn a_flipped_bit_in_an_archive_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i).sin()).collect();
        write_npz(&path, &[array("a", &[1000], values)]).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        let message = read_arrays(&path).unwrap_err().to_string();
        assert!(message.contains("array `a` is damaged"), "{message}");
    }

    #[test]
    fn what_is_no_array_in_an_archive_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, bytes) in
            [("readme.txt", b"hello".to_vec()), ("b.npy", npy("'|u1'", false, "()", &[7]))]
        {
            zip.start_file(name, zip::write::FileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap();
        assert_eq!(list_names(&path).unwrap(), ["b"]);
        assert_eq!(read_array(&path, "b").unwrap(), array("b", &[], vec![7_u8]));
        assert_eq!(read_arrays(&path).unwrap().len(), 1);
    }

    #[test]
    fn arrays_that_do_not_fit_are_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let twice = [array("a", &[1], vec![1.0]), array("a", &[1], vec![2.0])];
        assert!(
            write_npz(&path, &twice).unwrap_err().to_string().contains("two arrays are called `a`")
        );
        let wrong = NamedArray { name: "a".into(), shape: vec![3], data: vec![1.0].into() };
        assert!(write_npz(&path, &[wrong]).is_err());
        assert!(!path.exists());
    }
}

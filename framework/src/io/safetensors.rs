//! Safetensors files: named arrays with a map of texts beside them. The header is written with sorted
//! keys, so that the same content gives the same bytes, and the values are aligned to eight bytes as the
//! format asks. Numbers of half precision are read as float32.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorInfo};

use super::array::{SUPPORTED, Value, check_all, element_count, with_values};
use super::disk::{DiskRows, Layout};
use super::{ArrayData, NamedArray, write_atomically};
use crate::{Error, Result};

/// The content of a safetensors file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafetensorsFile {
    /// The arrays, in the order of their names.
    pub arrays: Vec<NamedArray>,
    /// The texts beside them.
    pub metadata: BTreeMap<String, String>,
}

/// Reads a whole file.
pub fn read_safetensors(path: &Path) -> Result<SafetensorsFile> {
    let bytes =
        std::fs::read(path).map_err(|e| Error::data(path, format!("cannot be read: {e}")))?;
    let damaged = |e: safetensors::SafeTensorError| {
        Error::data(path, format!("is no safetensors file or a damaged one: {e}"))
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let mut arrays = Vec::with_capacity(tensors.len());
    for (name, view) in tensors.iter() {
        let wrong = |what: String| Error::data(path, format!("array `{name}` {what}"));
        let data = decode(view.dtype(), view.data()).map_err(wrong)?;
        let array = NamedArray::new(name, view.shape().to_vec(), data);
        arrays.push(array.map_err(|e| wrong(e.to_string()))?);
    }
    arrays.sort_by(|a, b| a.name.cmp(&b.name));
    let metadata =
        header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(SafetensorsFile { arrays, metadata })
}

/// Reads only the texts, from the start of the file.
pub fn read_safetensors_metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    match read_header(path)?.0.get("__metadata__") {
        None => Ok(BTreeMap::new()),
        Some(texts) => {
            serde_json::from_value(texts.clone()).map_err(|e| damaged(path, &e.to_string()))
        }
    }
}

/// The names of the arrays, sorted.
pub fn list_names(path: &Path) -> Result<Vec<String>> {
    let (header, ..) = read_header(path)?;
    let keys = header.as_object().into_iter().flat_map(|all| all.keys().cloned());
    let mut names: Vec<String> = keys.filter(|name| name != "__metadata__").collect();
    names.sort();
    Ok(names)
}

/// The rows of the array called `name`, left in the file; `None` where it is a list of integers, one a row,
/// which is small and read whole.
///
/// # Errors
/// An array that would have to be converted.
pub fn disk_rows(path: &Path, name: &str) -> Result<Option<DiskRows>> {
    let (info, file, start) = find(path, name)?;
    let dtype = numpy_name(info.dtype);
    let start = start + info.data_offsets.0 as u64;
    DiskRows::new(path, name, file, Layout { shape: &info.shape, dtype: &dtype, start })
}

/// Reads the array called `name` and no other.
pub fn read_array(path: &Path, name: &str) -> Result<NamedArray> {
    let (info, mut file, start) = find(path, name)?;
    let (from, to) = info.data_offsets;
    let unreadable = |e: std::io::Error| Error::data(path, format!("cannot be read: {e}"));
    let mut bytes = vec![0; to - from];
    file.seek(SeekFrom::Start(start + from as u64)).map_err(unreadable)?;
    file.read_exact(&mut bytes).map_err(unreadable)?;
    let wrong = |what: String| Error::data(path, format!("array `{name}` {what}"));
    let data = decode(info.dtype, &bytes).map_err(wrong)?;
    NamedArray::new(name, info.shape, data).map_err(|e| wrong(e.to_string()))
}

/// Where an array lies, the file, and where in it the first array begins.
fn find(path: &Path, name: &str) -> Result<(TensorInfo, File, u64)> {
    let (header, file, start) = read_header(path)?;
    let Some(info) = header.get(name).filter(|_| name != "__metadata__") else {
        let known = list_names(path)?.join(", ");
        let message = format!("there is no array `{name}`; known arrays: {known}");
        return Err(Error::data(path, message));
    };
    let info: TensorInfo =
        serde_json::from_value(info.clone()).map_err(|e| damaged(path, &e.to_string()))?;
    let (from, to) = info.data_offsets;
    let total = file.metadata().map_err(|e| damaged(path, &e.to_string()))?.len();
    let bits = element_count(&info.shape).and_then(|n| n.checked_mul(info.dtype.bitsize()));
    let fits = bits.is_some_and(|bits| to.checked_sub(from).map(|n| n * 8) == Some(bits));
    if !fits || start.checked_add(to as u64).is_none_or(|end| end > total) {
        return Err(damaged(path, &format!("array `{name}` lies outside of it")));
    }
    Ok((info, file, start))
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::data(path, format!("is no safetensors file or a damaged one: {what}"))
}

/// A type as numpy calls it; as the format does where numpy has none of it.
fn numpy_name(dtype: Dtype) -> String {
    let name = format!("{dtype:?}");
    match name.split_at(1) {
        ("F", bits @ ("32" | "64")) => format!("float{bits}"),
        ("I", bits) => format!("int{bits}"),
        ("U", bits) => format!("uint{bits}"),
        _ => name.to_lowercase(),
    }
}

/// The header, the file, and where in it the arrays begin.
fn read_header(path: &Path) -> Result<(serde_json::Value, File, u64)> {
    let unreadable = |e: std::io::Error| Error::data(path, format!("cannot be read: {e}"));
    let mut file = File::open(path).map_err(unreadable)?;
    let total = file.metadata().map_err(unreadable)?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| damaged(path, "it is too short"))?;
    let length = u64::from_le_bytes(length);
    if length > total {
        return Err(damaged(path, "its header is longer than the file"));
    }
    let mut header = Vec::new();
    (&file).take(length).read_to_end(&mut header).map_err(unreadable)?;
    let header = serde_json::from_slice(&header).map_err(|e| damaged(path, &e.to_string()))?;
    Ok((header, file, 8 + length))
}

/// Writes arrays with different names and a map of texts, whole or not at all.
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
    // wider types first, so that every array starts at a multiple of its width
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
    if !metadata.is_empty() {
        insert("__metadata__", serde_json::to_value(metadata))?;
    }
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

    write_atomically(path, |file| {
        file.write_all(&(head.len() as u64).to_le_bytes())?;
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
    match data {
        ArrayData::F64(_) => Dtype::F64,
        ArrayData::F32(_) => Dtype::F32,
        ArrayData::I64(_) => Dtype::I64,
        ArrayData::I32(_) => Dtype::I32,
        ArrayData::I16(_) => Dtype::I16,
        ArrayData::I8(_) => Dtype::I8,
        ArrayData::U64(_) => Dtype::U64,
        ArrayData::U32(_) => Dtype::U32,
        ArrayData::U16(_) => Dtype::U16,
        ArrayData::U8(_) => Dtype::U8,
        ArrayData::Bool(_) => Dtype::BOOL,
    }
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
    match dtype {
        Dtype::F64 => get::<f64>(bytes),
        Dtype::F32 => get::<f32>(bytes),
        Dtype::F16 => Ok(ArrayData::widened(pairs(bytes).map(half::f16::from_le_bytes))),
        Dtype::BF16 => Ok(ArrayData::widened(pairs(bytes).map(half::bf16::from_le_bytes))),
        Dtype::I64 => get::<i64>(bytes),
        Dtype::I32 => get::<i32>(bytes),
        Dtype::I16 => get::<i16>(bytes),
        Dtype::I8 => get::<i8>(bytes),
        Dtype::U64 => get::<u64>(bytes),
        Dtype::U32 => get::<u32>(bytes),
        Dtype::U16 => get::<u16>(bytes),
        Dtype::U8 => get::<u8>(bytes),
        Dtype::BOOL => get::<bool>(bytes),
        other => {
            Err(format!("has dtype {other}, which is not supported: save it as one of {SUPPORTED}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> SafetensorsFile {
        let array = |name: &str, shape: &[usize], data: ArrayData| {
            NamedArray::new(name, shape.to_vec(), data).unwrap()
        };
        let mut arrays = vec![
            array("net.weight", &[2, 2], vec![1.0_f32, -0.5, f32::NEG_INFINITY, 1e-40].into()),
            array("b", &[], vec![std::f64::consts::PI].into()),
            array("flag", &[3], vec![true, false, true].into()),
            array("i16", &[1], vec![-2_i16].into()),
            array("i32", &[1], vec![-3_i32].into()),
            array("i64", &[2], vec![i64::MIN, 1].into()),
            array("i8", &[1], vec![-4_i8].into()),
            array("none", &[0, 2], Vec::<f32>::new().into()),
            array("u16", &[1], vec![5_u16].into()),
            array("u32", &[1], vec![6_u32].into()),
            array("u64", &[1], vec![u64::MAX].into()),
            array("u8", &[5], vec![1_u8, 2, 3, 4, 5].into()),
        ];
        arrays.sort_by(|a, b| a.name.cmp(&b.name));
        let metadata = [("zeta", "1"), ("alpha", "{\"k\": \"ü\\n\"}"), ("m", "")];
        let metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        SafetensorsFile { arrays, metadata }
    }

    #[test]
    fn what_is_written_is_read_back_and_equal_content_gives_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("a"), folder.path().join("b"));
        let SafetensorsFile { arrays, metadata } = samples();
        write_safetensors(&one, &arrays, &metadata).unwrap();
        assert_eq!(read_safetensors(&one).unwrap(), samples());
        assert_eq!(read_safetensors_metadata(&one).unwrap(), metadata);
        let reversed: Vec<_> = arrays.into_iter().rev().collect();
        write_safetensors(&two, &reversed, &metadata).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        write_safetensors(&one, &[], &BTreeMap::new()).unwrap();
        assert_eq!(read_safetensors(&one).unwrap(), SafetensorsFile::default());
        assert!(read_safetensors_metadata(&one).unwrap().is_empty());
    }

    #[test]
    fn half_precision_is_read_as_float32_and_less_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let write = |header: &str, values: &[u8]| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend(values);
            std::fs::write(&path, bytes).unwrap();
        };
        write(
            r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]}}"#,
            &[0x00, 0x3e, 0x01, 0x00, 0xc0, 0x3f, 0x00, 0xc0],
        );
        let values = |name| read_array(&path, name).unwrap().data;
        assert_eq!(values("h"), vec![1.5_f32, 5.9604645e-8].into());
        assert_eq!(values("b"), vec![1.5_f32, -2.0].into());
        write(r#"{"w":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]}}"#, &[0; 2]);
        let message = read_safetensors(&path).unwrap_err().to_string();
        assert!(message.contains("array `w` has dtype F8_E5M2"), "{message}");
    }
}

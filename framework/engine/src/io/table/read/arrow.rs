//! Columns of a file of Arrow's IPC format, which Feather is too.

use super::typed::{Builder, NESTED, Stored};
use super::{Column, Markers, Wanted};
use crate::io::open_regular;
use crate::io::table::arrow_types::{storage_of, unit_of};
use crate::table::Storage;
use crate::{Error, Result, memory};
use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef, TimeUnit};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// First bytes of a file that has a table of contents.
pub(super) const MAGIC: &[u8] = b"ARROW1";

/// A file of Arrow's IPC format.
#[derive(Debug)]
pub(super) struct ArrowFile {
    /// Names of the columns.
    pub names: Vec<String>,
    is_stream: bool,
    schema: SchemaRef,
}

impl ArrowFile {
    /// Opens a file and finds its columns; `is_stream` unless it begins with [`MAGIC`].
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read or is damaged.
    pub fn open(path: &Path, is_stream: bool) -> Result<Self> {
        super::unpacked::check(path, is_stream)?;
        let (schema, _) = batches(path, is_stream, None)?;
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        Ok(Self { names, is_stream, schema })
    }

    /// True if the values of a column have a type that is read.
    pub fn is_readable(&self, column: usize) -> bool {
        stored(self.schema.field(column)).is_ok()
    }

    /// Reads the wanted columns; returns the number of rows as well.
    ///
    /// # Errors
    /// [`Error::Data`]: the file is damaged, or a column is nested or has no such type.
    pub fn read(
        &self,
        path: &Path,
        markers: &Markers,
        wanted: &[Wanted],
    ) -> Result<(usize, Vec<Option<Column>>)> {
        let places: Vec<usize> =
            (0..wanted.len()).filter(|i| wanted[*i] != Wanted::Nothing).collect();
        let wrong = |i: usize, what: String| {
            Error::data(path, format!("column `{}`: {what}", self.names[i]))
        };
        let builder = |i: &usize| {
            let stored = stored(self.schema.field(*i)).map_err(|e| wrong(*i, e))?;
            Ok(Builder::new(stored, &wanted[*i], markers))
        };
        let mut builders = places.iter().map(builder).collect::<Result<Vec<_>>>()?;
        let (_, batches) = batches(path, self.is_stream, Some(places.clone()))?;
        let mut rows = 0;
        for batch in batches {
            let batch = batch.map_err(|e| damaged(path, &e))?;
            rows += batch.num_rows();
            memory::check_file(path, "", 8 * (batch.num_rows() * places.len()) as u64)?;
            for ((array, builder), i) in batch.columns().iter().zip(&mut builders).zip(&places) {
                push(array.as_ref(), builder).map_err(|e| wrong(*i, e))?;
            }
        }
        let mut columns: Vec<Option<Column>> = wanted.iter().map(|_| None).collect();
        for (i, builder) in places.into_iter().zip(builders) {
            let storage = storage_of(self.schema.field(i));
            let column = builder.finish(self.names[i].clone(), storage);
            columns[i] = Some(column.map_err(|e| wrong(i, e))?);
        }
        Ok((rows, columns))
    }
}

type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>>>;

fn batches(
    path: &Path,
    is_stream: bool,
    columns: Option<Vec<usize>>,
) -> Result<(SchemaRef, Batches)> {
    let (file, _): (File, _) = open_regular(path)?;
    let file = BufReader::new(file);
    if is_stream {
        let reader = StreamReader::try_new(file, columns).map_err(|e| damaged(path, &e))?;
        return Ok((reader.schema(), Box::new(reader)));
    }
    let reader = FileReader::try_new(file, columns).map_err(|e| damaged(path, &e))?;
    Ok((reader.schema(), Box::new(reader)))
}

fn damaged(path: &Path, e: &ArrowError) -> Error {
    let why = e.to_string();
    // Some describe the program that reads, not the file.
    let why = if why.contains('{') { "it is damaged or cut off" } else { &why };
    Error::data(path, format!("cannot be read as an Arrow file: {why}"))
}

/// Type of the values of a column.
fn stored(field: &Field) -> Result<Stored, String> {
    stored_as(field.data_type(), &storage_of(field))
}

fn stored_as(kind: &DataType, storage: &Storage) -> Result<Stored, String> {
    match kind {
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Ok(Stored::Text)
        }
        DataType::Boolean => Ok(Stored::Flag),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => Ok(Stored::Exact(0)),
        DataType::Float16 | DataType::Float32 => Ok(Stored::Float { single: true }),
        DataType::Float64 => Ok(Stored::Float { single: false }),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => Stored::decimals(*scale),
        DataType::Date32 => Ok(Stored::days()),
        DataType::Date64 => Ok(Stored::dates(1e3)),
        DataType::Timestamp(unit, _) => Ok(Stored::stamp(unit_of(*unit), storage)),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            Ok(Stored::clock(unit_of(*unit).per_second()))
        }
        DataType::Duration(unit) => {
            Ok(Stored::Duration { per_second: unit_of(*unit).per_second() })
        }
        DataType::Dictionary(_, values) => stored_as(values, storage.of_values()),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Struct(_)
        | DataType::Map(..) => Err(NESTED.to_owned()),
        other => Err(format!("it has the type {other}, which is not read")),
    }
}

/// Adds the values of an array.
fn push(array: &dyn Array, builder: &mut Builder<'_>) -> Result<(), String> {
    macro_rules! numbers {
        ($T:ty) => {{
            let values = array.as_primitive::<$T>();
            for value in values {
                match value {
                    Some(value) => builder.push_number(value as f64),
                    None => builder.push_missing(),
                }
            }
        }};
    }
    macro_rules! wholes {
        ($T:ty) => {
            for value in array.as_primitive::<$T>() {
                match value {
                    Some(value) => builder.push_whole(value as f64, || value.to_string()),
                    None => builder.push_missing(),
                }
            }
        };
    }
    macro_rules! decimals {
        ($T:ty, $scale:expr) => {{
            let power = 10_f64.powi(i32::from($scale));
            for value in array.as_primitive::<$T>() {
                match value {
                    Some(value) => builder.push_number(value as f64 / power),
                    None => builder.push_missing(),
                }
            }
        }};
    }
    macro_rules! texts {
        ($texts:expr) => {
            for text in $texts {
                match text {
                    Some(text) => builder.push_text(text.as_bytes()),
                    None => builder.push_missing(),
                }
            }
        };
    }
    match array.data_type() {
        DataType::Null => (0..array.len()).for_each(|_| builder.push_missing()),
        DataType::Boolean => {
            for value in array.as_boolean() {
                match value {
                    Some(value) => builder.push_flag(value),
                    None => builder.push_missing(),
                }
            }
        }
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => wholes!(Int64Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => wholes!(UInt64Type),
        DataType::Float16 => {
            for value in array.as_primitive::<Float16Type>() {
                match value {
                    Some(value) => builder.push_number(value.to_f64()),
                    None => builder.push_missing(),
                }
            }
        }
        DataType::Float32 => numbers!(Float32Type),
        DataType::Float64 => numbers!(Float64Type),
        DataType::Decimal32(_, scale) => decimals!(Decimal32Type, *scale),
        DataType::Decimal64(_, scale) => decimals!(Decimal64Type, *scale),
        DataType::Decimal128(_, scale) => decimals!(Decimal128Type, *scale),
        DataType::Date32 => numbers!(Date32Type),
        DataType::Date64 => numbers!(Date64Type),
        DataType::Timestamp(TimeUnit::Second, _) => numbers!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => numbers!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => numbers!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => numbers!(TimestampNanosecondType),
        DataType::Time32(TimeUnit::Second) => numbers!(Time32SecondType),
        DataType::Time32(_) => numbers!(Time32MillisecondType),
        DataType::Time64(TimeUnit::Microsecond) => numbers!(Time64MicrosecondType),
        DataType::Time64(_) => numbers!(Time64NanosecondType),
        DataType::Duration(TimeUnit::Second) => numbers!(DurationSecondType),
        DataType::Duration(TimeUnit::Millisecond) => numbers!(DurationMillisecondType),
        DataType::Duration(TimeUnit::Microsecond) => numbers!(DurationMicrosecondType),
        DataType::Duration(TimeUnit::Nanosecond) => numbers!(DurationNanosecondType),
        DataType::Utf8 => texts!(array.as_string::<i32>()),
        DataType::LargeUtf8 => texts!(array.as_string::<i64>()),
        DataType::Utf8View => texts!(array.as_string_view()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            for (row, key) in dictionary.normalized_keys().into_iter().enumerate() {
                match dictionary.keys().is_null(row) || values.is_empty() {
                    true => builder.push_missing(),
                    false => push(values.slice(key, 1).as_ref(), builder)?,
                }
            }
        }
        other => return Err(format!("it has the type {other}, which is not read")),
    }
    Ok(())
}

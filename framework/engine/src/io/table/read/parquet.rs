//! Columns of a Parquet file.

use super::typed::{Builder, NESTED, Stored};
use super::{Column, Markers, Wanted};
use crate::io::open_regular;
use crate::{Error, Result, memory};
use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{AsBytes, DataType};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::path::Path;

/// Rows that are read at once.
const ROWS: usize = 8192;

/// A Parquet file.
#[derive(Debug)]
pub(super) struct ParquetFile {
    /// Names of the columns.
    pub names: Vec<String>,
    /// For each column its number among those of the file that hold values; `None` if it is nested.
    leaves: Vec<Option<usize>>,
}

impl ParquetFile {
    /// Opens a file and finds its columns.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let reader = reader(path)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let fields = schema.root_schema().get_fields();
        let mut leaves = vec![None; fields.len()];
        for leaf in 0..schema.num_columns() {
            let (root, column) = (schema.get_column_root_idx(leaf), schema.column(leaf));
            if fields[root].is_primitive() && column.max_rep_level() == 0 {
                leaves[root] = Some(leaf);
            }
        }
        Ok(Self { names: fields.iter().map(|field| field.name().to_owned()).collect(), leaves })
    }

    /// True if the values of a column have a type that is read.
    pub fn is_readable(&self, column: usize) -> bool {
        self.leaves.get(column).is_some_and(Option::is_some)
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
        let reader = reader(path)?;
        let rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        let read = wanted.iter().filter(|wanted| **wanted != Wanted::Nothing).count();
        memory::check_file(path, "", 8 * rows as u64 * read as u64)?;
        let column = |(i, wanted): (usize, &Wanted)| -> Result<Option<Column>> {
            if *wanted == Wanted::Nothing {
                return Ok(None);
            }
            let name = &self.names[i];
            let wrong = |what: String| Error::data(path, format!("column `{name}`: {what}"));
            let nested = || wrong(NESTED.to_owned());
            let leaf = self.leaves[i].ok_or_else(nested)?;
            let schema = reader.metadata().file_metadata().schema_descr();
            let stored = stored(&schema.column(leaf)).map_err(wrong)?;
            let mut builder = Builder::new(stored, wanted, markers);
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group).map_err(|e| damaged(path, &e))?;
                let pages = group.get_column_reader(leaf).map_err(|e| damaged(path, &e))?;
                read_group(pages, schema.column(leaf).as_ref(), &mut builder)
                    .map_err(|e| damaged(path, &e))?;
            }
            builder.finish(name.clone()).map(Some).map_err(wrong)
        };
        let columns = wanted.iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
        Ok((rows, columns))
    }
}

fn reader(path: &Path) -> Result<SerializedFileReader<File>> {
    let (file, _) = open_regular(path)?;
    SerializedFileReader::new(file).map_err(|e| damaged(path, &e))
}

fn damaged(path: &Path, e: &ParquetError) -> Error {
    let why = e.to_string();
    if why.contains("Disabled feature") {
        let message = "is Parquet that is packed by a method that is not read, such as Brotli or \
                       LZO; write it with Snappy, gzip, Zstandard or LZ4";
        return Error::data(path, message);
    }
    Error::data(path, format!("cannot be read as Parquet: {why}"))
}

/// Type of the values of a column.
fn stored(column: &ColumnDescriptor) -> Result<Stored, String> {
    let per_second = |unit: &TimeUnit| match unit {
        TimeUnit::MILLIS => 1e3,
        TimeUnit::MICROS => 1e6,
        TimeUnit::NANOS => 1e9,
    };
    let stamp = |per_second, utc| Ok(Stored::stamp(per_second, utc));
    let clock = |per_second| Ok(Stored::clock(per_second));
    match column.logical_type_ref() {
        Some(LogicalType::Timestamp(stamp_type)) => {
            return stamp(per_second(&stamp_type.unit), stamp_type.is_adjusted_to_u_t_c);
        }
        Some(LogicalType::Time(time)) => return clock(per_second(&time.unit)),
        _ => {}
    }
    match (column.converted_type(), column.physical_type()) {
        (ConvertedType::DATE, _) => Ok(Stored::days()),
        (ConvertedType::TIMESTAMP_MILLIS, _) => stamp(1e3, true),
        (ConvertedType::TIMESTAMP_MICROS, _) => stamp(1e6, true),
        (ConvertedType::TIME_MILLIS, _) => clock(1e3),
        (ConvertedType::TIME_MICROS, _) => clock(1e6),
        (ConvertedType::DECIMAL, _) => Stored::decimals(column.type_scale()),
        (ConvertedType::INTERVAL, _) => Err("it holds intervals, which are not read".to_owned()),
        (_, Physical::BOOLEAN) => Ok(Stored::Flag),
        (_, Physical::INT32 | Physical::INT64) => Ok(Stored::Exact(0)),
        (_, Physical::INT96) => stamp(1e3, false),
        (_, Physical::FLOAT) => Ok(Stored::Float { single: true }),
        (_, Physical::DOUBLE) => Ok(Stored::Float { single: false }),
        (_, Physical::BYTE_ARRAY) => Ok(Stored::Text),
        (_, Physical::FIXED_LEN_BYTE_ARRAY) => {
            Err("it holds bytes of a fixed length, which are not read".to_owned())
        }
    }
}

/// Reads the values of a column in a group of rows.
fn read_group(
    reader: ColumnReader,
    column: &ColumnDescriptor,
    builder: &mut Builder<'_>,
) -> Result<(), ParquetError> {
    let scale = match column.converted_type() {
        ConvertedType::DECIMAL => 10_f64.powi(column.type_scale()),
        _ => 1.0,
    };
    let unsigned = matches!(
        column.converted_type(),
        ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64
    );
    let bytes = |b: &mut Builder<'_>, value: &[u8]| match column.converted_type() {
        ConvertedType::DECIMAL => b.push_number(big_endian(value) / scale),
        _ => b.push_text(value),
    };
    match reader {
        ColumnReader::BoolColumnReader(r) => each(r, builder, |b, v| b.push_flag(*v)),
        ColumnReader::Int32ColumnReader(r) if unsigned => {
            each(r, builder, |b, v| b.push_number(f64::from(*v as u32)))
        }
        ColumnReader::Int32ColumnReader(r) => {
            each(r, builder, |b, v| b.push_number(f64::from(*v) / scale))
        }
        ColumnReader::Int64ColumnReader(r) if unsigned => {
            each(r, builder, |b, v| b.push_whole(*v as u64 as f64, || (*v as u64).to_string()))
        }
        ColumnReader::Int64ColumnReader(r) => {
            each(r, builder, |b, v| b.push_whole(*v as f64 / scale, || v.to_string()))
        }
        ColumnReader::Int96ColumnReader(r) => {
            each(r, builder, |b, v| b.push_number(v.to_millis() as f64))
        }
        ColumnReader::FloatColumnReader(r) => each(r, builder, |b, v| b.push_number((*v).into())),
        ColumnReader::DoubleColumnReader(r) => each(r, builder, |b, v| b.push_number(*v)),
        ColumnReader::ByteArrayColumnReader(r) => each(r, builder, |b, v| bytes(b, v.as_bytes())),
        ColumnReader::FixedLenByteArrayColumnReader(r) => {
            each(r, builder, |b, v| bytes(b, v.as_bytes()))
        }
    }
}

/// Calls `push` with each value, and adds a missing one where there is none.
fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    builder: &mut Builder<'_>,
    push: impl Fn(&mut Builder<'_>, &T::T),
) -> Result<(), ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    loop {
        levels.clear();
        values.clear();
        let (records, count, _) =
            reader.read_records(ROWS, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Ok(());
        }
        if count == records {
            values.iter().for_each(|value| push(builder, value));
            continue;
        }
        let mut next = values.iter();
        for level in &levels {
            match next.as_slice() {
                [value, ..] if *level > 0 => {
                    push(builder, value);
                    next.next();
                }
                _ => builder.push_missing(),
            }
        }
    }
}

/// A whole number in two's complement, the highest byte first.
fn big_endian(bytes: &[u8]) -> f64 {
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1.0 } else { 0.0 };
    bytes.iter().fold(sign, |value, byte| value * 256.0 + f64::from(*byte))
}

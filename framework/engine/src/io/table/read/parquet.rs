//! Columns of a Parquet file.

use super::typed::{Builder, NESTED, Stored};
use super::{Column, Markers, Wanted, pages};
use crate::io::open_regular;
use crate::io::packed::check_cells;
use crate::io::table::arrow_types::{SCHEMA, decoded, storage_of};
use crate::table::{Storage, TextLayout, TimeUnit};
use crate::{Error, Result, memory};
use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit as ParquetUnit, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{AsBytes, DataType};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use arrow_schema::Schema;
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
    /// Storages of the columns by Arrow's schema, which the program that wrote the file may have
    /// left in it; empty without one.
    storages: Vec<Storage>,
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
        let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
        let keys = reader.metadata().file_metadata().key_value_metadata();
        let arrow = keys.into_iter().flatten().find(|pair| pair.key == SCHEMA);
        let arrow = arrow.and_then(|pair| decoded(pair.value.as_deref()?));
        let fits = |schema: &Schema| schema.fields().iter().map(|field| field.name()).eq(&names);
        let storages = arrow.filter(fits).map_or_else(Vec::new, |schema| {
            schema.fields().iter().map(|field| storage_of(field)).collect()
        });
        Ok(Self { names, leaves, storages })
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
        let (mut file, length) = open_regular(path)?;
        let reader = reader(path)?;
        let rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        let read = wanted.iter().filter(|wanted| **wanted != Wanted::Nothing).count();
        check_cells(path, rows as u64, read as u64, length)?;
        memory::check_file(path, "", (8 * read as u64).saturating_mul(rows as u64))?;
        let column = |(i, wanted): (usize, &Wanted)| -> Result<Option<Column>> {
            if *wanted == Wanted::Nothing {
                return Ok(None);
            }
            let name = &self.names[i];
            let wrong = |what: String| Error::data(path, format!("column `{name}`: {what}"));
            let nested = || wrong(NESTED.to_owned());
            let leaf = self.leaves[i].ok_or_else(nested)?;
            let schema = reader.metadata().file_metadata().schema_descr();
            let descriptor = schema.column(leaf);
            let storage = self.storage(i, &descriptor);
            let stored = stored(&descriptor, &storage).map_err(wrong)?;
            let mut builder = Builder::new(stored, wanted, markers);
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group).map_err(|e| damaged(path, &e))?;
                let chunk = group.metadata().column(leaf).byte_range();
                pages::check(path, &mut file, chunk)?;
                let pages = group.get_column_reader(leaf).map_err(|e| damaged(path, &e))?;
                read_group(pages, schema.column(leaf).as_ref(), rows, &mut builder)
                    .map_err(|e| damaged(path, &e))?;
            }
            builder.finish(name.clone(), storage).map(Some).map_err(wrong)
        };
        let columns = wanted.iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
        Ok((rows, columns))
    }
}

impl ParquetFile {
    /// Storage of a column: by Arrow's schema, if that names a type that Parquet holds in this way,
    /// or by Parquet's types.
    fn storage(&self, column: usize, descriptor: &ColumnDescriptor) -> Storage {
        let own = own_storage(descriptor);
        let Some(told) = self.storages.get(column) else { return own };
        let agrees = match (told.of_values(), &own) {
            (Storage::Duration { .. }, Storage::Integer { bits: 64, signed: true }) => true,
            (told, own) => std::mem::discriminant(told) == std::mem::discriminant(own),
        };
        let is_date = *told == Storage::Date64 && own.is_plain();
        if agrees || is_date { told.clone() } else { own }
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

/// Storage of a column by Parquet's types.
fn own_storage(column: &ColumnDescriptor) -> Storage {
    let of = |unit: &ParquetUnit| match unit {
        ParquetUnit::MILLIS => TimeUnit::Millisecond,
        ParquetUnit::MICROS => TimeUnit::Microsecond,
        ParquetUnit::NANOS => TimeUnit::Nanosecond,
    };
    let stamp = |unit, utc: bool| Storage::Timestamp { unit, zone: utc.then(|| "UTC".to_owned()) };
    let integer = |bits, signed| Storage::Integer { bits, signed };
    match column.logical_type_ref() {
        Some(LogicalType::Timestamp(time)) => {
            return stamp(of(&time.unit), time.is_adjusted_to_u_t_c);
        }
        Some(LogicalType::Time(time)) => return Storage::Clock { unit: of(&time.unit) },
        _ => {}
    }
    match (column.converted_type(), column.physical_type()) {
        (ConvertedType::TIMESTAMP_MILLIS, _) => stamp(TimeUnit::Millisecond, true),
        (ConvertedType::TIMESTAMP_MICROS, _) => stamp(TimeUnit::Microsecond, true),
        (ConvertedType::TIME_MILLIS, _) => Storage::Clock { unit: TimeUnit::Millisecond },
        (ConvertedType::TIME_MICROS, _) => Storage::Clock { unit: TimeUnit::Microsecond },
        (ConvertedType::DECIMAL, _) => {
            let digits = (u8::try_from(column.type_precision()), u8::try_from(column.type_scale()));
            match digits {
                (Ok(precision), Ok(scale)) => Storage::Decimal { bits: 128, precision, scale },
                _ => Storage::Plain,
            }
        }
        (ConvertedType::INT_8, _) => integer(8, true),
        (ConvertedType::INT_16, _) => integer(16, true),
        (ConvertedType::UINT_8, _) => integer(8, false),
        (ConvertedType::UINT_16, _) => integer(16, false),
        (ConvertedType::UINT_32, _) => integer(32, false),
        (ConvertedType::UINT_64, _) => integer(64, false),
        (ConvertedType::DATE, _) | (_, Physical::BOOLEAN | Physical::FIXED_LEN_BYTE_ARRAY) => {
            Storage::Plain
        }
        (_, Physical::INT32) => integer(32, true),
        (_, Physical::INT64) => integer(64, true),
        (_, Physical::INT96) => stamp(TimeUnit::Nanosecond, false),
        (_, Physical::FLOAT) => Storage::Float { bits: 32 },
        (_, Physical::DOUBLE) => Storage::REAL,
        (_, Physical::BYTE_ARRAY) => Storage::Text { layout: TextLayout::Small },
    }
}

/// Type of the values of a column with a storage.
fn stored(column: &ColumnDescriptor, storage: &Storage) -> Result<Stored, String> {
    match (own_storage(column), storage.of_values()) {
        (Storage::Timestamp { .. }, _) if column.physical_type() == Physical::INT96 => {
            // They are read in milliseconds.
            return Ok(Stored::stamp(TimeUnit::Millisecond, storage));
        }
        (Storage::Timestamp { unit, .. }, _) => return Ok(Stored::stamp(unit, storage)),
        (Storage::Clock { unit }, _) => return Ok(Stored::clock(unit.per_second())),
        (_, Storage::Duration { unit }) => {
            return Ok(Stored::Duration { per_second: unit.per_second() });
        }
        _ => {}
    }
    match (column.converted_type(), column.physical_type()) {
        (ConvertedType::DATE, _) => Ok(Stored::days()),
        (ConvertedType::DECIMAL, _) => Stored::decimals(column.type_scale()),
        (ConvertedType::INTERVAL, _) => Err("it holds intervals, which are not read".to_owned()),
        (_, Physical::BOOLEAN) => Ok(Stored::Flag),
        (_, Physical::FLOAT) => Ok(Stored::Float { single: true }),
        (_, Physical::DOUBLE) => Ok(Stored::Float { single: false }),
        (_, Physical::BYTE_ARRAY) => Ok(Stored::Text),
        (_, Physical::FIXED_LEN_BYTE_ARRAY) => {
            Err("it holds bytes of a fixed length, which are not read".to_owned())
        }
        (_, Physical::INT32 | Physical::INT64 | Physical::INT96) => Ok(Stored::Exact(0)),
    }
}

/// Reads the values of a column in a group of rows; all groups together have `rows`.
fn read_group(
    reader: ColumnReader,
    column: &ColumnDescriptor,
    rows: usize,
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
        ColumnReader::BoolColumnReader(r) => each(r, rows, builder, |b, v| b.push_flag(*v)),
        ColumnReader::Int32ColumnReader(r) if unsigned => {
            each(r, rows, builder, |b, v| b.push_number(f64::from(*v as u32)))
        }
        ColumnReader::Int32ColumnReader(r) => {
            each(r, rows, builder, |b, v| b.push_number(f64::from(*v) / scale))
        }
        ColumnReader::Int64ColumnReader(r) if unsigned => each(r, rows, builder, |b, v| {
            b.push_whole(*v as u64 as f64, || (*v as u64).to_string())
        }),
        ColumnReader::Int64ColumnReader(r) => {
            each(r, rows, builder, |b, v| b.push_whole(*v as f64 / scale, || v.to_string()))
        }
        ColumnReader::Int96ColumnReader(r) => {
            each(r, rows, builder, |b, v| b.push_number(v.to_millis() as f64))
        }
        ColumnReader::FloatColumnReader(r) => {
            each(r, rows, builder, |b, v| b.push_number((*v).into()))
        }
        ColumnReader::DoubleColumnReader(r) => each(r, rows, builder, |b, v| b.push_number(*v)),
        ColumnReader::ByteArrayColumnReader(r) => {
            each(r, rows, builder, |b, v| bytes(b, v.as_bytes()))
        }
        ColumnReader::FixedLenByteArrayColumnReader(r) => {
            each(r, rows, builder, |b, v| bytes(b, v.as_bytes()))
        }
    }
}

/// Calls `push` with each value, and adds a missing one where there is none.
fn each<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
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
        if records > rows.saturating_sub(builder.len()) {
            return Err(ParquetError::General(format!(
                "a column has more values than {rows} rows"
            )));
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

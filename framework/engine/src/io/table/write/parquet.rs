use std::io::Write;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit as ArrowUnit};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType as ParquetType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::super::arrow_types::{SCHEMA, encoded};
use super::Cells;
use super::arrow::field;
use super::stored::Stored;
use super::typed::{Kind, ROWS, kind, value_type, values};
use crate::table::TableRows;

/// Most digits of decimals in 32 and in 64 bits.
const DIGITS: (u8, u8) = (9, 18);
/// Bytes of decimals of more digits.
const WIDE: i32 = 16;

/// Writes a table as Parquet, its pages packed by Snappy, with Arrow's schema among its metadata.
pub(super) fn write_parquet(
    rows: TableRows<'_>,
    cells: &[Cells<'_>],
    file: impl Write + Send,
) -> Result<()> {
    let kinds: Vec<Kind> =
        cells.iter().enumerate().map(|(i, cells)| kind(rows, i, cells)).collect();
    let types: Vec<DataType> = rows
        .columns
        .iter()
        .zip(cells.iter().zip(&kinds))
        .map(|(column, (cells, kind))| match value_type(column, cells, *kind) {
            DataType::Float16 => DataType::Float32,
            own => own,
        })
        .collect();
    let names = rows.columns.iter().map(|column| column.name.as_str());
    let fields = names.zip(&types).map(|(name, own)| parquet_field(name, own));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
    let columns = rows.columns.iter().zip(cells.iter().zip(&types));
    let arrow: Vec<Field> =
        columns.map(|(column, (cells, own))| field(column, cells, own)).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("triflow {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            SCHEMA.to_owned(),
            encoded(&Schema::new(arrow)),
        )]))
        .build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
    for from in (0..rows.len()).step_by(ROWS) {
        let range = from..rows.len().min(from + ROWS);
        let mut group = writer.next_row_group()?;
        for (i, ((cells, kind), own)) in cells.iter().zip(&kinds).zip(&types).enumerate() {
            if let Some(mut column) = group.next_column()? {
                let all = values(rows, range.clone(), (i, cells, *kind));
                write_column(&mut column, Stored::of(all, held(own)), own)?;
                column.close()?;
            }
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

/// The type whose units Parquet holds in place of another one: it has no seconds, and dates in days
/// alone.
fn held(own: &DataType) -> &DataType {
    const STAMP: DataType = DataType::Timestamp(ArrowUnit::Millisecond, None);
    const CLOCK: DataType = DataType::Time32(ArrowUnit::Millisecond);
    match own {
        DataType::Timestamp(ArrowUnit::Second, _) => &STAMP,
        DataType::Time32(_) => &CLOCK,
        DataType::Date64 => &DataType::Date32,
        other => other,
    }
}

fn parquet_field(name: &str, own: &DataType) -> Result<TypePtr> {
    let unit = |unit: &ArrowUnit| match unit {
        ArrowUnit::Second | ArrowUnit::Millisecond => TimeUnit::MILLIS,
        ArrowUnit::Microsecond => TimeUnit::MICROS,
        ArrowUnit::Nanosecond => TimeUnit::NANOS,
    };
    let narrow = |bits, signed| (Physical::INT32, Some(LogicalType::integer(bits, signed)));
    let (physical, logical) = match own {
        DataType::Int8 => narrow(8, true),
        DataType::Int16 => narrow(16, true),
        DataType::Int32 => (Physical::INT32, None),
        DataType::UInt8 => narrow(8, false),
        DataType::UInt16 => narrow(16, false),
        DataType::UInt32 => narrow(32, false),
        DataType::UInt64 => (Physical::INT64, Some(LogicalType::integer(64, false))),
        DataType::Float32 => (Physical::FLOAT, None),
        DataType::Float64 => (Physical::DOUBLE, None),
        DataType::Boolean => (Physical::BOOLEAN, None),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            (Physical::BYTE_ARRAY, Some(LogicalType::String))
        }
        DataType::Date32 | DataType::Date64 => (Physical::INT32, Some(LogicalType::Date)),
        DataType::Timestamp(own, zone) => {
            (Physical::INT64, Some(LogicalType::timestamp(zone.is_some(), unit(own))))
        }
        DataType::Time32(own) => (Physical::INT32, Some(LogicalType::time(true, unit(own)))),
        DataType::Time64(own) => (Physical::INT64, Some(LogicalType::time(true, unit(own)))),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            let logical = LogicalType::decimal(i32::from(*scale), i32::from(*precision));
            let physical = match *precision {
                digits if digits <= DIGITS.0 => Physical::INT32,
                digits if digits <= DIGITS.1 => Physical::INT64,
                _ => Physical::FIXED_LEN_BYTE_ARRAY,
            };
            let field = Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(logical))
                .with_precision(i32::from(*precision))
                .with_scale(i32::from(*scale))
                .with_length(WIDE)
                .build()?;
            return Ok(Arc::new(field));
        }
        _ => (Physical::INT64, None),
    };
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(field))
}

fn write_column(
    column: &mut SerializedColumnWriter<'_>,
    values: Stored<'_>,
    own: &DataType,
) -> Result<()> {
    match (values, parquet_field("", own)?.get_physical_type()) {
        (Stored::Whole(all), Physical::INT32) => {
            write_cells::<Int32Type, _>(column, all, |v| match own {
                DataType::UInt32 => v as u32 as i32,
                _ => v as i32,
            })
        }
        (Stored::Whole(all), _) => write_cells::<Int64Type, _>(column, all, |v| v),
        (Stored::Wide(all), Physical::INT32) => {
            write_cells::<Int32Type, _>(column, all, |v| v as i32)
        }
        (Stored::Wide(all), Physical::INT64) => {
            write_cells::<Int64Type, _>(column, all, |v| v as i64)
        }
        (Stored::Wide(all), _) => write_cells::<FixedLenByteArrayType, _>(column, all, |v| {
            FixedLenByteArray::from(v.to_be_bytes().to_vec())
        }),
        (Stored::Real(all), Physical::FLOAT) => {
            write_cells::<FloatType, _>(column, all, |v| v as f32)
        }
        (Stored::Real(all), _) => write_cells::<DoubleType, _>(column, all, |v| v),
        (Stored::Flag(all), _) => write_cells::<BoolType, _>(column, all, |v| v),
        (Stored::Text(all), _) => {
            write_cells::<ByteArrayType, _>(column, all, |text| ByteArray::from(text.as_ref()))
        }
    }
}

fn write_cells<T: ParquetType, V>(
    column: &mut SerializedColumnWriter<'_>,
    all: Vec<Option<V>>,
    convert: impl Fn(V) -> T::T,
) -> Result<()> {
    let there: Vec<i16> = all.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = all.into_iter().flatten().map(convert).collect();
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(())
}

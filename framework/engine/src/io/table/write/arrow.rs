use std::io::Write;
use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal32Array, Decimal64Array, Decimal128Array,
    DictionaryArray, LargeStringArray, PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use half::f16;

use super::Cells;
use super::stored::Stored;
use super::typed::{Kind, ROWS, kind, of_kind, value_type, values};
use crate::table::{Storage, TableColumn, TableRows};

/// Writes a table as Arrow IPC, the second version of Feather.
pub(super) fn write_arrow(
    rows: TableRows<'_>,
    cells: &[Cells<'_>],
    file: impl Write,
) -> Result<(), ArrowError> {
    let kinds: Vec<Kind> =
        cells.iter().enumerate().map(|(i, cells)| kind(rows, i, cells)).collect();
    let types: Vec<DataType> = rows
        .columns
        .iter()
        .zip(cells.iter().zip(&kinds))
        .map(|(column, (cells, kind))| value_type(column, cells, *kind))
        .collect();
    let names = cells.iter().zip(&kinds).zip(&types);
    let names = names.map(|((cells, kind), own)| names_of(cells, *kind, own));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let fields: Vec<Field> = rows
        .columns
        .iter()
        .zip(cells.iter().zip(&types))
        .map(|(column, (cells, own))| field(column, cells, own))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = FileWriter::try_new(file, &schema)?;
    for from in (0..rows.len()).step_by(ROWS) {
        let range = from..rows.len().min(from + ROWS);
        let column = |i: usize| match (schema.field(i).data_type(), &names[i]) {
            (DataType::Dictionary(key, _), Some(names)) => {
                let codes = rows.column(i).skip(range.start).take(range.len());
                coded(codes, key, names)
            }
            (own, _) => {
                let all = values(rows, range.clone(), (i, &cells[i], kinds[i]));
                array(Stored::of(all, own), own)
            }
        };
        let columns = (0..cells.len()).map(column).collect::<Result<Vec<_>, _>>()?;
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    writer.finish()
}

/// The field of a column whose values are of type `own`; one of a dictionary where its storage is
/// one and it has names.
pub(super) fn field(column: &TableColumn, cells: &Cells<'_>, own: &DataType) -> Field {
    match (&column.storage, cells) {
        (Storage::Dictionary { bits, ordered, .. }, Cells::Name(names))
            if *own != DataType::Boolean =>
        {
            let needed = match names.len() {
                0..=127 => 8,
                128..=32_767 => 16,
                _ => 32,
            };
            let key = match needed.max(*bits) {
                8 => DataType::Int8,
                16 => DataType::Int16,
                32 => DataType::Int32,
                _ => DataType::Int64,
            };
            let kind = DataType::Dictionary(Box::new(key), Box::new(own.clone()));
            Field::new(&column.name, kind, true).with_dict_is_ordered(*ordered)
        }
        _ => Field::new(&column.name, own.clone(), true),
    }
}

/// The names of a column in the type of its values; `None` without any.
fn names_of(cells: &Cells<'_>, kind: Kind, own: &DataType) -> Result<Option<ArrayRef>, ArrowError> {
    let Cells::Name(names) = cells else { return Ok(None) };
    let codes = (0..names.len()).map(|code| Some(code as f64));
    array(Stored::of(of_kind(codes, cells, kind), own), own).map(Some)
}

/// Codes as a dictionary of `names`; those without a name are missing.
fn coded(
    codes: impl Iterator<Item = f64>,
    key: &DataType,
    names: &ArrayRef,
) -> Result<ArrayRef, ArrowError> {
    fn of<K: ArrowDictionaryKeyType>(
        codes: impl Iterator<Item = Option<i64>>,
        names: &ArrayRef,
    ) -> Result<ArrayRef, ArrowError>
    where
        K::Native: TryFrom<i64>,
    {
        let keys = codes.map(|code| K::Native::try_from(code?).ok());
        let keys: PrimitiveArray<K> = keys.collect();
        Ok(Arc::new(DictionaryArray::try_new(keys, names.clone())?))
    }
    let count = names.len() as f64;
    let codes = codes.map(|code| (code >= 0.0 && code < count).then_some(code as i64));
    match key {
        DataType::Int8 => of::<Int8Type>(codes, names),
        DataType::Int16 => of::<Int16Type>(codes, names),
        DataType::Int32 => of::<Int32Type>(codes, names),
        _ => of::<Int64Type>(codes, names),
    }
}

/// An array of `T`, whose values are whole numbers within its range.
fn whole<T: ArrowPrimitiveType>(
    all: Vec<Option<i64>>,
    convert: impl Fn(i64) -> T::Native,
) -> PrimitiveArray<T> {
    all.into_iter().map(|value| value.map(&convert)).collect()
}

fn array(values: Stored<'_>, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    macro_rules! stamps {
        ($all:ident, $zone:ident, $T:ty) => {
            Arc::new(whole::<$T>($all, |v| v).with_timezone_opt($zone.clone()))
        };
    }
    Ok(match values {
        Stored::Flag(all) => Arc::new(BooleanArray::from(all)),
        Stored::Text(all) => match kind {
            DataType::LargeUtf8 => Arc::new(LargeStringArray::from_iter(all)),
            DataType::Utf8View => Arc::new(StringViewArray::from_iter(all)),
            _ => Arc::new(StringArray::from_iter(all)),
        },
        Stored::Real(all) => match kind {
            DataType::Float16 => {
                let all = all.into_iter().map(|value| value.map(f16::from_f64));
                Arc::new(all.collect::<PrimitiveArray<Float16Type>>())
            }
            DataType::Float32 => {
                let all = all.into_iter().map(|value| value.map(|value| value as f32));
                Arc::new(all.collect::<PrimitiveArray<Float32Type>>())
            }
            _ => Arc::new(all.into_iter().collect::<PrimitiveArray<Float64Type>>()),
        },
        Stored::Wide(all) => match kind {
            DataType::Decimal32(precision, scale) => {
                let all = all.into_iter().map(|value| value.and_then(|v| i32::try_from(v).ok()));
                let all: Decimal32Array = all.collect();
                Arc::new(all.with_precision_and_scale(*precision, *scale)?)
            }
            DataType::Decimal64(precision, scale) => {
                let all = all.into_iter().map(|value| value.and_then(|v| i64::try_from(v).ok()));
                let all: Decimal64Array = all.collect();
                Arc::new(all.with_precision_and_scale(*precision, *scale)?)
            }
            DataType::Decimal128(precision, scale) => {
                let all: Decimal128Array = all.into_iter().collect();
                Arc::new(all.with_precision_and_scale(*precision, *scale)?)
            }
            other => return Err(ArrowError::SchemaError(format!("{other} holds no decimals"))),
        },
        Stored::Whole(all) => match kind {
            DataType::Int8 => Arc::new(whole::<Int8Type>(all, |v| v as i8)),
            DataType::Int16 => Arc::new(whole::<Int16Type>(all, |v| v as i16)),
            DataType::Int32 => Arc::new(whole::<Int32Type>(all, |v| v as i32)),
            DataType::UInt8 => Arc::new(whole::<UInt8Type>(all, |v| v as u8)),
            DataType::UInt16 => Arc::new(whole::<UInt16Type>(all, |v| v as u16)),
            DataType::UInt32 => Arc::new(whole::<UInt32Type>(all, |v| v as u32)),
            DataType::UInt64 => Arc::new(whole::<UInt64Type>(all, |v| v as u64)),
            DataType::Date32 => Arc::new(whole::<Date32Type>(all, |v| v as i32)),
            DataType::Date64 => Arc::new(whole::<Date64Type>(all, |v| v)),
            DataType::Time32(TimeUnit::Second) => {
                Arc::new(whole::<Time32SecondType>(all, |v| v as i32))
            }
            DataType::Time32(_) => Arc::new(whole::<Time32MillisecondType>(all, |v| v as i32)),
            DataType::Time64(TimeUnit::Nanosecond) => {
                Arc::new(whole::<Time64NanosecondType>(all, |v| v))
            }
            DataType::Time64(_) => Arc::new(whole::<Time64MicrosecondType>(all, |v| v)),
            DataType::Duration(unit) => match unit {
                TimeUnit::Second => Arc::new(whole::<DurationSecondType>(all, |v| v)),
                TimeUnit::Millisecond => Arc::new(whole::<DurationMillisecondType>(all, |v| v)),
                TimeUnit::Microsecond => Arc::new(whole::<DurationMicrosecondType>(all, |v| v)),
                TimeUnit::Nanosecond => Arc::new(whole::<DurationNanosecondType>(all, |v| v)),
            },
            DataType::Timestamp(unit, zone) => match unit {
                TimeUnit::Second => stamps!(all, zone, TimestampSecondType),
                TimeUnit::Millisecond => stamps!(all, zone, TimestampMillisecondType),
                TimeUnit::Microsecond => stamps!(all, zone, TimestampMicrosecondType),
                TimeUnit::Nanosecond => stamps!(all, zone, TimestampNanosecondType),
            },
            _ => Arc::new(whole::<Int64Type>(all, |v| v)),
        },
    })
}

//! Arrow's types as storages of columns and back, and Arrow's schema within a Parquet file, from
//! which other programs take what Parquet's own types do not say: zones, durations, dictionaries.

use crate::table::{Storage, TextLayout, TimeUnit};
use arrow_ipc::convert::try_schema_from_ipc_buffer;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{DataType, Field, Schema, TimeUnit as ArrowUnit};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Key of Arrow's schema among the metadata of a Parquet file.
pub(super) const SCHEMA: &str = "ARROW:schema";
/// First bytes of an encapsulated message of Arrow.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Storage of the cells of a field.
pub(super) fn storage_of(field: &Field) -> Storage {
    match field.data_type() {
        DataType::Dictionary(key, values) => Storage::Dictionary {
            bits: integer(key).map_or(32, |(bits, _)| bits),
            ordered: field.dict_is_ordered() == Some(true),
            values: Box::new(storage(values)),
        },
        kind => storage(kind),
    }
}

fn storage(kind: &DataType) -> Storage {
    if let Some((bits, signed)) = integer(kind) {
        return Storage::Integer { bits, signed };
    }
    let decimal = |bits, precision: u8, scale: i8| match u8::try_from(scale) {
        Ok(scale) => Storage::Decimal { bits, precision, scale },
        Err(_) => Storage::Plain,
    };
    match kind {
        DataType::Float16 => Storage::Float { bits: 16 },
        DataType::Float32 => Storage::Float { bits: 32 },
        DataType::Float64 => Storage::REAL,
        DataType::Decimal32(precision, scale) => decimal(32, *precision, *scale),
        DataType::Decimal64(precision, scale) => decimal(64, *precision, *scale),
        DataType::Decimal128(precision, scale) => decimal(128, *precision, *scale),
        DataType::Utf8 => Storage::Text { layout: TextLayout::Small },
        DataType::LargeUtf8 => Storage::Text { layout: TextLayout::Large },
        DataType::Utf8View => Storage::Text { layout: TextLayout::View },
        DataType::Date64 => Storage::Date64,
        DataType::Timestamp(unit, zone) => {
            Storage::Timestamp { unit: unit_of(*unit), zone: zone.as_deref().map(str::to_owned) }
        }
        DataType::Time32(unit) | DataType::Time64(unit) => Storage::Clock { unit: unit_of(*unit) },
        DataType::Duration(unit) => Storage::Duration { unit: unit_of(*unit) },
        _ => Storage::Plain,
    }
}

/// Bits of a type of whole numbers, and true if it has a sign.
fn integer(kind: &DataType) -> Option<(u8, bool)> {
    Some(match kind {
        DataType::Int8 => (8, true),
        DataType::Int16 => (16, true),
        DataType::Int32 => (32, true),
        DataType::Int64 => (64, true),
        DataType::UInt8 => (8, false),
        DataType::UInt16 => (16, false),
        DataType::UInt32 => (32, false),
        DataType::UInt64 => (64, false),
        _ => return None,
    })
}

/// The type of Arrow that a storage of numbers, texts or times is; `None` for one of its own for no
/// type, and for dictionaries.
pub(super) fn data_type(storage: &Storage) -> Option<DataType> {
    Some(match storage {
        Storage::Integer { bits: 8, signed: true } => DataType::Int8,
        Storage::Integer { bits: 16, signed: true } => DataType::Int16,
        Storage::Integer { bits: 32, signed: true } => DataType::Int32,
        Storage::Integer { signed: true, .. } => DataType::Int64,
        Storage::Integer { bits: 8, .. } => DataType::UInt8,
        Storage::Integer { bits: 16, .. } => DataType::UInt16,
        Storage::Integer { bits: 32, .. } => DataType::UInt32,
        Storage::Integer { .. } => DataType::UInt64,
        Storage::Float { bits: 16 } => DataType::Float16,
        Storage::Float { bits: 32 } => DataType::Float32,
        Storage::Float { .. } => DataType::Float64,
        Storage::Decimal { bits, precision, scale } => {
            let scale = i8::try_from(*scale).ok()?;
            match bits {
                32 => DataType::Decimal32(*precision, scale),
                64 => DataType::Decimal64(*precision, scale),
                _ => DataType::Decimal128(*precision, scale),
            }
        }
        Storage::Text { layout: TextLayout::Small } => DataType::Utf8,
        Storage::Text { layout: TextLayout::Large } => DataType::LargeUtf8,
        Storage::Text { layout: TextLayout::View } => DataType::Utf8View,
        Storage::Date64 => DataType::Date64,
        Storage::Timestamp { unit, zone } => {
            DataType::Timestamp(arrow_unit(*unit), zone.as_deref().map(Into::into))
        }
        Storage::Clock { unit: unit @ (TimeUnit::Second | TimeUnit::Millisecond) } => {
            DataType::Time32(arrow_unit(*unit))
        }
        Storage::Clock { unit } => DataType::Time64(arrow_unit(*unit)),
        Storage::Duration { unit } => DataType::Duration(arrow_unit(*unit)),
        Storage::Plain | Storage::Dictionary { .. } => return None,
    })
}

pub(super) fn unit_of(unit: ArrowUnit) -> TimeUnit {
    match unit {
        ArrowUnit::Second => TimeUnit::Second,
        ArrowUnit::Millisecond => TimeUnit::Millisecond,
        ArrowUnit::Microsecond => TimeUnit::Microsecond,
        ArrowUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

fn arrow_unit(unit: TimeUnit) -> ArrowUnit {
    match unit {
        TimeUnit::Second => ArrowUnit::Second,
        TimeUnit::Millisecond => ArrowUnit::Millisecond,
        TimeUnit::Microsecond => ArrowUnit::Microsecond,
        TimeUnit::Nanosecond => ArrowUnit::Nanosecond,
    }
}

/// A schema as the metadata of a Parquet file hold it.
pub(super) fn encoded(schema: &Schema) -> String {
    let mut tracker = DictionaryTracker::new(true);
    let message = IpcDataGenerator::default()
        .schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &IpcWriteOptions::default())
        .ipc_message;
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_le_bytes();
    BASE64_STANDARD.encode([&CONTINUATION[..], &length, &message].concat())
}

/// The schema of such metadata; `None` where they cannot be read.
pub(super) fn decoded(text: &str) -> Option<Schema> {
    try_schema_from_ipc_buffer(&BASE64_STANDARD.decode(text).ok()?).ok()
}

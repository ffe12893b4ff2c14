use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::Cells;
use super::typed::{Kind, ROWS, Values, kind, values};
use crate::table::TableRows;

/// Writes a table as Parquet, its pages packed by Snappy.
pub(super) fn write_parquet(
    rows: TableRows<'_>,
    cells: &[Cells<'_>],
    file: impl Write + Send,
) -> Result<()> {
    let kinds: Vec<Kind> =
        cells.iter().enumerate().map(|(i, cells)| kind(rows, i, cells)).collect();
    let names = rows.columns.iter().map(|column| column.name.as_str());
    let fields = names.zip(&kinds).map(|(name, kind)| field(name, *kind));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("triflow {}", env!("CARGO_PKG_VERSION")))
        .build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
    for from in (0..rows.len()).step_by(ROWS) {
        let range = from..rows.len().min(from + ROWS);
        let mut group = writer.next_row_group()?;
        for (i, (cells, kind)) in cells.iter().zip(&kinds).enumerate() {
            if let Some(mut column) = group.next_column()? {
                write_column(&mut column, values(rows, range.clone(), (i, cells, *kind)))?;
                column.close()?;
            }
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn field(name: &str, kind: Kind) -> Result<TypePtr> {
    let (physical, logical) = match kind {
        Kind::Whole => (Physical::INT64, None),
        Kind::Real => (Physical::DOUBLE, None),
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Day => (Physical::INT32, Some(LogicalType::Date)),
        Kind::Time { utc } => {
            (Physical::INT64, Some(LogicalType::timestamp(utc, TimeUnit::MICROS)))
        }
    };
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(field))
}

fn write_column(column: &mut SerializedColumnWriter<'_>, values: Values<'_>) -> Result<()> {
    match values {
        Values::Whole(all) | Values::Time(all) => write_cells::<Int64Type, _>(column, all, |v| v),
        Values::Real(all) => write_cells::<DoubleType, _>(column, all, |v| v),
        Values::Flag(all) => write_cells::<BoolType, _>(column, all, |v| v),
        Values::Day(all) => write_cells::<Int32Type, _>(column, all, |v| v),
        Values::Text(all) => {
            write_cells::<ByteArrayType, _>(column, all, |text| ByteArray::from(text.as_ref()))
        }
    }
}

fn write_cells<T: DataType, V>(
    column: &mut SerializedColumnWriter<'_>,
    all: Vec<Option<V>>,
    convert: impl Fn(V) -> T::T,
) -> Result<()> {
    let there: Vec<i16> = all.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = all.into_iter().flatten().map(convert).collect();
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(())
}

use std::io::Write;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};

use super::Cells;
use super::typed::{Kind, ROWS, Values, kind, values};
use crate::table::TableRows;

/// Writes a table as Arrow IPC, the second version of Feather.
pub(super) fn write_arrow(
    rows: TableRows<'_>,
    cells: &[Cells<'_>],
    file: impl Write,
) -> Result<(), ArrowError> {
    let kinds: Vec<Kind> =
        cells.iter().enumerate().map(|(i, cells)| kind(rows, i, cells)).collect();
    let fields = rows.columns.iter().zip(&kinds);
    let fields: Vec<Field> =
        fields.map(|(column, kind)| Field::new(&column.name, data_type(*kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = FileWriter::try_new(file, &schema)?;
    for from in (0..rows.len()).step_by(ROWS) {
        let range = from..rows.len().min(from + ROWS);
        let columns = cells.iter().zip(&kinds).enumerate();
        let columns = columns
            .map(|(i, (cells, kind))| array(values(rows, range.clone(), (i, cells, *kind)), *kind));
        writer.write(&RecordBatch::try_new(schema.clone(), columns.collect())?)?;
    }
    writer.finish()
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Whole => DataType::Int64,
        Kind::Real => DataType::Float64,
        Kind::Flag => DataType::Boolean,
        Kind::Text => DataType::Utf8,
        Kind::Day => DataType::Date32,
        Kind::Time { utc } => DataType::Timestamp(TimeUnit::Microsecond, utc.then(|| "UTC".into())),
    }
}

fn array(values: Values<'_>, kind: Kind) -> ArrayRef {
    match values {
        Values::Whole(all) => Arc::new(Int64Array::from(all)),
        Values::Real(all) => Arc::new(Float64Array::from(all)),
        Values::Flag(all) => Arc::new(BooleanArray::from(all)),
        Values::Text(all) => Arc::new(StringArray::from_iter(all)),
        Values::Day(all) => Arc::new(Date32Array::from(all)),
        Values::Time(all) => {
            let times = TimestampMicrosecondArray::from(all);
            match kind {
                Kind::Time { utc: true } => Arc::new(times.with_timezone("UTC")),
                _ => Arc::new(times),
            }
        }
    }
}

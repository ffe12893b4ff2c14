//! Files with types come out with the types that they had.

use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    ArrayRef, Date64Array, Decimal128Array, DictionaryArray, DurationNanosecondArray, Float16Array,
    Float32Array, Float64Array, Int16Array, Int32Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, Time32SecondArray, Time64MicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt8Array, UInt64Array,
};
use arrow_schema::{DataType, Field};
use half::f16;

use super::*;
use crate::table::{CellType, Storage, TableColumn, TableRows};

/// A column of each type, with three values and a gap.
fn arrays() -> Vec<(&'static str, ArrayRef)> {
    let at = vec![Some(1_711_800_000_000), Some(1_711_886_400_000), Some(1_711_900_000_000), None];
    let stamps = TimestampMillisecondArray::from(at.clone());
    let nanos = at.iter().map(|v| v.map(|v| v * 1_000_000));
    let nanos = TimestampNanosecondArray::from(nanos.collect::<Vec<_>>());
    let decimals = [Some(12_345), Some(-1), Some(9_999_900), None];
    let decimals = |precision| {
        Decimal128Array::from(decimals.to_vec()).with_precision_and_scale(precision, 2).unwrap()
    };
    let texts = [Some("b"), Some("a"), Some("b"), None];
    let halves = [Some(0.5), Some(-2.0), Some(8.0), None].map(|v| v.map(f16::from_f64));
    vec![
        ("f16", Arc::new(Float16Array::from(halves.to_vec()))),
        ("f32", Arc::new(Float32Array::from(vec![Some(0.1), Some(-2.5), Some(3.0), None]))),
        ("f64", Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), Some(5.0), None]))),
        ("u8", Arc::new(UInt8Array::from(vec![Some(0), Some(255), Some(7), None]))),
        ("i16", Arc::new(Int16Array::from(vec![Some(-3), Some(300), Some(7), None]))),
        ("i32", Arc::new(Int32Array::from(vec![Some(-3), Some(70_000), Some(7), None]))),
        ("u64", Arc::new(UInt64Array::from(vec![Some(3), Some(70_000), Some(7), None]))),
        ("dec9", Arc::new(decimals(9))),
        ("dec18", Arc::new(decimals(18))),
        ("dec30", Arc::new(decimals(30))),
        ("large", Arc::new(LargeStringArray::from(texts.to_vec()))),
        ("view", Arc::new(StringViewArray::from(texts.to_vec()))),
        ("kind", Arc::new(DictionaryArray::<Int8Type>::from_iter(texts))),
        ("wide", Arc::new(DictionaryArray::<Int32Type>::from_iter(texts))),
        ("local", Arc::new(stamps.clone())),
        ("berlin", Arc::new(stamps.clone().with_timezone("Europe/Berlin"))),
        ("offset", Arc::new(stamps.with_timezone("+02:00"))),
        ("nanos", Arc::new(nanos.with_timezone("UTC"))),
        (
            "clock",
            Arc::new(Time64MicrosecondArray::from(vec![Some(1_500_000), Some(0), Some(9), None])),
        ),
        (
            "took",
            Arc::new(DurationNanosecondArray::from(vec![
                Some(1_500_000_000),
                Some(-7),
                Some(0),
                None,
            ])),
        ),
    ]
}

/// Types that Parquet does not hold.
fn arrays_of_arrow() -> Vec<(&'static str, ArrayRef)> {
    let days = vec![Some(86_400_000), Some(0), Some(172_800_000), None];
    vec![
        ("day", Arc::new(Date64Array::from(days))),
        ("clock", Arc::new(Time32SecondArray::from(vec![Some(61), Some(0), Some(9), None]))),
    ]
}

fn write_arrays(path: &Path, arrays: Vec<(&'static str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
}

fn read_arrays(path: &Path) -> RecordBatch {
    let file = std::fs::File::open(path).unwrap();
    arrow_ipc::reader::FileReader::try_new(file, None).unwrap().next().unwrap().unwrap()
}

/// The columns of a file as a table has them.
fn typed(path: &Path) -> Vec<Typed> {
    let file = TableFile::open(path, &super::Format::default()).unwrap();
    let table = file.read(&vec![Wanted::Any; file.width()]).unwrap();
    table.columns.into_iter().map(|column| infer(column.unwrap(), None).unwrap()).collect()
}

/// Columns of which missing numbers are equal.
fn shown(columns: &[Typed]) -> Vec<String> {
    columns.iter().map(|column| format!("{column:?}")).collect()
}

fn write_typed(path: &Path, all: &[Typed]) {
    let columns: Vec<TableColumn> = all.iter().map(|typed| typed.column.clone()).collect();
    let rows = all[0].values.len();
    let values: Vec<f64> =
        (0..rows).flat_map(|row| all.iter().map(move |typed| typed.values[row])).collect();
    write_table(path, TableRows { columns: &columns, values: &values }).unwrap();
}

#[test]
fn every_type_of_a_file_comes_out_again_with_its_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_arrays(&path("a.arrow"), arrays());
    let expected = read_arrays(&path("a.arrow"));
    write_typed(&path("b.arrow"), &typed(&path("a.arrow")));
    // By way of Parquet, which keeps Arrow's types beside its own.
    write_typed(&path("c.parquet"), &typed(&path("a.arrow")));
    write_typed(&path("d.parquet"), &typed(&path("c.parquet")));
    write_typed(&path("d.arrow"), &typed(&path("d.parquet")));
    for name in ["b.arrow", "d.arrow"] {
        let found = read_arrays(&path(name));
        let from = usize::from(name == "d.arrow");
        // Parquet has float32 in place of float16, the first column.
        for (i, field) in expected.schema().fields().iter().enumerate().skip(from) {
            let own = found.schema().field(i).data_type().clone();
            assert_eq!(own, *field.data_type(), "{name}: {}", field.name());
            if matches!(own, DataType::Dictionary(..)) {
                continue;
            }
            assert_eq!(found.column(i), expected.column(i), "{name}: {}", field.name());
        }
        assert_eq!(shown(&typed(&path(name))[1..]), shown(&typed(&path("a.arrow"))[1..]));
    }
    write_arrays(&path("e.arrow"), arrays_of_arrow());
    write_typed(&path("f.arrow"), &typed(&path("e.arrow")));
    assert_eq!(read_arrays(&path("f.arrow")), read_arrays(&path("e.arrow")));
    write_typed(&path("f.parquet"), &typed(&path("e.arrow")));
    assert_eq!(shown(&typed(&path("f.parquet"))), shown(&typed(&path("e.arrow"))));
}

#[test]
fn a_length_of_time_is_a_number_of_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    write_arrays(&path, arrays());
    let took = typed(&path).pop().unwrap();
    assert_eq!(took.values[..2], [1.5, -7e-9]);
    assert!(matches!(took.column.kind, CellType::Number { .. }));
}

#[test]
fn a_number_beyond_a_narrow_type_becomes_its_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_arrays(&path("a.arrow"), arrays());
    let mut all = typed(&path("a.arrow"));
    for typed in &mut all {
        if typed.column.names().is_none() {
            typed.values = vec![1e30, -1e30, 1.4, f64::NAN];
        }
    }
    for name in ["b.arrow", "b.parquet"] {
        write_typed(&path(name), &all);
        let read = typed(&path(name));
        let values = |name: &str| {
            let of = |typed: &&Typed| typed.column.name == name;
            read.iter().find(of).unwrap().values[..3].to_vec()
        };
        assert_eq!(values("u8"), [255.0, 0.0, 1.0], "{name}");
        assert_eq!(values("i16"), [32_767.0, -32_768.0, 1.0], "{name}");
        assert_eq!(values("dec9"), [9_999_999.99, -9_999_999.99, 1.4], "{name}");
        if name == "b.arrow" {
            // In Parquet it is a float32.
            assert_eq!(values("f16")[..2], [65_504.0, -65_504.0], "{name}");
        }
        assert_eq!(values("clock"), [86_399.999_999, 0.0, 1.4], "{name}");
    }
}

#[test]
fn categories_and_flags_of_numbers_have_the_type_and_digits_of_their_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rows: String = (0..20).map(|i| format!("{}.0,{}\n", 10 * (i % 2), i % 2)).collect();
    std::fs::write(path("a.csv"), format!("dose,on\n{rows}")).unwrap();
    let all = typed(&path("a.csv"));
    write_typed(&path("b.csv"), &all);
    let text = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!(text("b.csv"), text("a.csv"));
    write_typed(&path("c.arrow"), &all);
    let types: Vec<DataType> = read_arrays(&path("c.arrow"))
        .schema()
        .fields()
        .iter()
        .map(|f| f.data_type().clone())
        .collect();
    assert_eq!(types, [DataType::Float64, DataType::Int64]);
    // The codes of one file are those of the other.
    let again = &typed(&path("c.arrow"))[0];
    let codes = again.column.codes_in(&all[0].column).unwrap().unwrap();
    let codes: Vec<f64> = again.values.iter().map(|cell| codes.of(*cell)).collect();
    assert_eq!(codes, all[0].values);
}

#[test]
fn times_of_a_text_keep_their_offset() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rows: String = (1..9).map(|day| format!("2024-03-0{day}T23:30:00+05:30\n")).collect();
    std::fs::write(path("a.csv"), format!("at\n{rows}")).unwrap();
    let all = typed(&path("a.csv"));
    assert_eq!(all[0].column.storage.offset(), Some(19_800));
    for name in ["b.csv", "c.parquet", "d.feather"] {
        write_typed(&path(name), &all);
        let read = typed(&path(name));
        assert_eq!(
            (&read[0].values, read[0].column.storage.offset()),
            (&all[0].values, Some(19_800))
        );
        write_typed(&path("e.csv"), &read);
        let text = std::fs::read_to_string(path("e.csv")).unwrap();
        assert_eq!(text, std::fs::read_to_string(path("a.csv")).unwrap(), "{name}");
    }
    let field = read_arrays(&path("d.feather")).schema().field(0).clone();
    assert!(matches!(field.data_type(), DataType::Timestamp(_, Some(zone)) if &**zone == "+05:30"));
}

#[test]
fn texts_stay_texts_whatever_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let words = StringArray::from(vec!["true", "false", "true"]);
    write_arrays(&path("a.arrow"), vec![("said", Arc::new(words))]);
    write_typed(&path("b.arrow"), &typed(&path("a.arrow")));
    assert_eq!(*read_arrays(&path("b.arrow")).schema().field(0).data_type(), DataType::Utf8);
    let ordered = Field::new("o", DataType::Utf8, true);
    assert_eq!(arrow_types::storage_of(&ordered), Storage::Text { layout: Default::default() });
}

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use super::*;
use crate::io::gunzip;
use crate::table::{CellType, TableColumn, TableRows};

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// A column of every type.
fn columns() -> Vec<TableColumn> {
    let time = |format: &str| CellType::Time { format: format.to_owned() };
    vec![
        TableColumn::number("size, in m"),
        TableColumn::new("price", CellType::Number { decimals: Some(2) }),
        TableColumn::new("rooms", CellType::Number { decimals: Some(0) }),
        TableColumn::new("lift", CellType::Flag { names: ["no", "yes"].map(str::to_owned) }),
        TableColumn::category(
            "kind",
            names(&["flat", "\"loft\"", "house; big", "a, b", "line\nbreak"]),
        ),
        TableColumn::new("built", time("%Y-%m-%d")),
        TableColumn::new("seen", time("%d.%m.%Y %H:%M")),
    ]
}

/// Rows of every type, some of whose cells are missing.
const ROWS: [[f64; 7]; 6] = [
    [0.1, 1234.5, 3.0, 1.0, 0.0, 0.0, 59.0],
    [1e300, -0.001, -0.4, 0.0, 1.0, 951_782_400.0, -60.0],
    [-2.0, 1e16, 2.5, 1.0, 2.0, -86_400.0, 1e9],
    [1.0 / 3.0, 0.005, 1e15, 2.0, 3.0, 1e30, 30.0],
    [1e-7, -7.125, 2_147_483_648.0, -1.0, 4.0, 43_199.0, 0.0],
    [f64::NAN; 7],
];

fn written(name: &str, columns: &[TableColumn], values: &[f64]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write_table(&path, TableRows { columns, values }).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_table_is_written_with_names_decimals_categories_and_formats() {
    let text = String::from_utf8(written("a.csv", &columns(), &ROWS.concat())).unwrap();
    let expected = "\
\"size, in m\",price,rooms,lift,kind,built,seen
0.1,1234.50,3,yes,flat,1970-01-01,01.01.1970 00:01
1e300,0.00,0,no,\"\"\"loft\"\"\",2000-02-29,31.12.1969 23:59
-2,1e16,2,yes,house; big,1969-12-31,09.09.2001 01:47
0.3333333333333333,0.01,1000000000000000,,\"a, b\",9999-12-31,01.01.1970 00:01
1e-7,-7.12,2147483648,,\"line
break\",1970-01-01,01.01.1970 00:00
\"\",,,,,,
";
    assert_eq!(text, expected);
    let tabs = String::from_utf8(written("a.TSV", &columns()[1..5], &ROWS[0][1..5])).unwrap();
    assert_eq!(tabs, "price\trooms\tlift\tkind\n1234.50\t3\tyes\tflat\n");
}

#[test]
fn a_packed_table_holds_the_text_of_a_plain_one() {
    let (columns, values) = (columns(), ROWS.concat());
    let packed = written("a.csv.gz", &columns, &values);
    let mut text = Vec::new();
    gunzip(&packed[..], packed.len() as u64).read_to_end(&mut text).unwrap();
    assert_eq!(text, written("a.csv", &columns, &values));
}

#[test]
fn numbers_without_decimals_are_read_back_exactly() {
    let mut values = vec![0.1, -0.0, 1e300, 5e-324, 1.0 / 3.0];
    values.extend((0..2000).map(|i| (f64::from(i) * 0.37).tan().powi(i % 9 + 1)));
    let text = written("a.csv", &[TableColumn::number("a")], &values);
    let text = String::from_utf8(text).unwrap();
    let read = text.lines().skip(1).map(|line| line.parse::<f64>().unwrap().to_bits());
    assert!(read.eq(values.iter().map(|value| value.to_bits())));
}

/// Values of a file, and their types, as the reader finds them.
fn read(name: &str, columns: &[TableColumn], values: &[f64]) -> Vec<Typed> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write_table(&path, TableRows { columns, values }).unwrap();
    let file = TableFile::open(&path, &super::Format::default()).unwrap();
    let table = file.read(&vec![Wanted::Any; file.width()]).unwrap();
    table.columns.into_iter().map(|column| infer(column.unwrap(), None).unwrap()).collect()
}

#[test]
fn a_table_comes_back_from_its_text_with_its_values_and_types() {
    let time = |format: &str| CellType::Time { format: format.to_owned() };
    let gappy = |column| TableColumn { missing: true, ..column };
    let columns = [
        gappy(TableColumn::new("price", CellType::Number { decimals: Some(2) })),
        TableColumn::new("rooms", CellType::Number { decimals: Some(0) }),
        TableColumn::new("lift", CellType::Flag { names: ["no", "yes"].map(str::to_owned) }),
        TableColumn::new("sold", CellType::Flag { names: ["false", "true"].map(str::to_owned) }),
        gappy(TableColumn::category("kind", names(&["a, b", "flat", "\"loft\""]))),
        gappy(TableColumn::new("built", time("%Y-%m-%d"))),
        TableColumn::new("seen", time("%Y-%m-%dT%H:%M:%S")),
    ];
    let nan = f64::NAN;
    let row = |i: usize| {
        let (at, day) = (i as f64, 86_400.0);
        let gap = |value: f64, every: usize| if i % every == 1 { nan } else { value };
        let price = gap((at * 7.0 + 25.0) / 100.0, 5);
        let (built, seen) = (gap(day * (at - 9.0), 7), 1e9 + at * 3601.0);
        let (kind, flag) =
            (gap((i % 3) as f64, 4), |n: usize| f64::from(u8::from(i.is_multiple_of(n))));
        [price, at + 3.0, flag(2), flag(3), kind, built, seen]
    };
    let values: Vec<f64> = (0..60).flat_map(row).collect();
    for name in ["a.csv", "a.tsv.gz"] {
        for (i, found) in read(name, &columns, &values).into_iter().enumerate() {
            let expected: Vec<f64> = values.iter().skip(i).step_by(7).copied().collect();
            let known = found.column.codes_in(&columns[i]).unwrap();
            let cells = found.values.iter().map(|v| match &known {
                Some(codes) => codes.of(*v),
                None => *v,
            });
            let cells: Vec<f64> = cells.collect();
            assert!(
                cells.iter().zip(&expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan()),
                "{name}, {}: {cells:?}, {expected:?}",
                columns[i].name
            );
            assert_eq!(found.column.missing, columns[i].missing, "{name}, {}", columns[i].name);
            let names = |column: &TableColumn| {
                column.names().map(|names| names.iter().cloned().collect::<BTreeSet<_>>())
            };
            match (&found.column.kind, &columns[i].kind) {
                (a, b) if names(&found.column).is_none() => assert_eq!(a, b, "{name}"),
                _ => assert_eq!(names(&found.column), names(&columns[i]), "{name}"),
            }
        }
    }
}

/// Columns of every type of Parquet and Arrow, and two rows, the second without cells.
fn typed() -> (Vec<TableColumn>, Vec<f64>) {
    let time = |format: &str| CellType::Time { format: format.to_owned() };
    let columns = vec![
        TableColumn::new("rooms", CellType::Number { decimals: Some(0) }),
        TableColumn::new("price", CellType::Number { decimals: Some(2) }),
        TableColumn::new("sold", CellType::Flag { names: ["False", "True"].map(str::to_owned) }),
        TableColumn::category("kind", names(&["flat", "house"])),
        TableColumn::new("built", time("%d.%m.%Y")),
        TableColumn::new("seen", time("%Y-%m-%d %H:%M:%S")),
        TableColumn::new("at", time("%H:%M")),
    ];
    let mut values = vec![3.2, 12.3449, 1.0, 1.0, 86_400.0 * 9.0, 1.5, 3720.0];
    values.extend([f64::NAN; 7]);
    (columns, values)
}

#[test]
fn a_parquet_file_holds_numbers_flags_names_days_and_times() {
    use parquet::basic::{LogicalType, TimeUnit};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let (columns, values) = typed();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write_table(&path, TableRows { columns: &columns, values: &values }).unwrap();
    let file = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let schema = file.metadata().file_metadata().schema_descr();
    let logical = |i: usize| schema.column(i).logical_type_ref().cloned();
    assert_eq!(logical(3), Some(LogicalType::String));
    assert_eq!(logical(4), Some(LogicalType::Date));
    assert_eq!(logical(5), Some(LogicalType::timestamp(false, TimeUnit::MICROS)));
    let rows: Vec<Vec<(String, Field)>> = file
        .get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().get_column_iter().map(|(n, f)| (n.clone(), f.clone())).collect())
        .collect();
    let expected = [
        ("rooms", Field::Long(3)),
        ("price", Field::Double(12.34)),
        ("sold", Field::Bool(true)),
        ("kind", Field::Str("house".to_owned())),
        ("built", Field::Date(9)),
        ("seen", Field::TimestampMicros(2_000_000)),
        ("at", Field::Str("01:02".to_owned())),
    ];
    assert_eq!(rows[0], expected.map(|(name, field)| (name.to_owned(), field)));
    assert!(rows.len() == 2 && rows[1].iter().all(|(_, field)| *field == Field::Null));
}

#[test]
fn an_arrow_file_holds_numbers_flags_names_days_and_times() {
    use arrow_array::TimestampMicrosecondArray;
    use arrow_array::{Array, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
    let (columns, values) = typed();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.feather");
    write_table(&path, TableRows { columns: &columns, values: &values }).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let mut batches = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
    let batch = batches.next().unwrap().unwrap();
    assert!(batch.num_rows() == 2 && batches.next().is_none());
    let column = |i: usize| batch.column(i).as_any();
    assert_eq!(column(0).downcast_ref::<Int64Array>().unwrap().value(0), 3);
    assert_eq!(column(1).downcast_ref::<Float64Array>().unwrap().value(0), 12.34);
    assert!(column(2).downcast_ref::<BooleanArray>().unwrap().value(0));
    assert_eq!(column(3).downcast_ref::<StringArray>().unwrap().value(0), "house");
    assert_eq!(column(4).downcast_ref::<Date32Array>().unwrap().value(0), 9);
    let seen = column(5).downcast_ref::<TimestampMicrosecondArray>().unwrap();
    assert_eq!(seen.value(0), 2_000_000);
    assert_eq!(column(6).downcast_ref::<StringArray>().unwrap().value(0), "01:02");
    assert!((0..7).all(|i| batch.column(i).is_null(1)));
}

#[test]
fn cells_as_they_are_keep_texts_flags_and_whole_numbers_of_any_size() {
    use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt64Array};
    let folder = tempfile::tempdir().unwrap();
    let cells = |name: &str| {
        let format = super::Format::default();
        let file = TableFile::open(&folder.path().join(name), &format).unwrap().without_markers();
        let table = file.read(&vec![Wanted::Cells; file.width()]).unwrap();
        table.columns.into_iter().map(|column| column.unwrap().cells).collect::<Vec<_>>()
    };
    let same = |names: &[&str]| Cells::Texts {
        codes: (0_u32..).take(names.len()).collect(),
        texts: self::names(names),
    };
    std::fs::write(folder.path().join("a.csv"), "a,b\n007,NA\n1.50,\"x, y\"\n").unwrap();
    assert_eq!(cells("a.csv"), [same(&["007", "1.50"]), same(&["NA", "x, y"])]);
    let large = [1, (1_i64 << 53) + 1, i64::MAX];
    let columns: [(&str, ArrayRef); 4] = [
        ("signed", std::sync::Arc::new(Int64Array::from(large.to_vec()))),
        ("unsigned", std::sync::Arc::new(UInt64Array::from(vec![2, u64::MAX, 3]))),
        ("small", std::sync::Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("flag", std::sync::Arc::new(BooleanArray::from(vec![true, false, true]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(folder.path().join("a.arrow")).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let whole = |values: [f64; 3]| Cells::Numbers { values: values.to_vec(), decimals: Some(0) };
    let flags = Cells::Texts { codes: vec![1, 0, 1], texts: names(&["false", "true"]) };
    let signed = same(&["1", "9007199254740993", "9223372036854775807"]);
    let unsigned = same(&["2", "18446744073709551615", "3"]);
    assert_eq!(cells("a.arrow"), [signed, unsigned, whole([1.0, 2.0, 3.0]), flags]);
}

#[test]
fn what_is_no_table_is_refused_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let time = CellType::Time { format: "%!".to_owned() };
    let wrong = [TableColumn::new("day", time)];
    for (name, columns, values, why) in [
        ("a.xlsx", &columns()[..1], vec![1.0], "known endings: .csv, .tsv"),
        ("a.gz", &columns()[..1], vec![1.0], "is no table"),
        ("a.csv", &columns()[..2], vec![1.0], "1 cells are no rows of 2 columns"),
        ("a.csv", &[], vec![], "0 cells are no rows of 0 columns"),
        ("a.csv", &wrong[..], vec![1.0], "`%!` is no format of dates and times"),
    ] {
        let error = write_table(&folder.path().join(name), TableRows { columns, values: &values });
        let message = error.unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(is_table(Path::new("x/a.Tsv.GZ")) && !is_table(Path::new("csv")));
    assert!(is_table(Path::new("a.parquet")) && !is_table(Path::new("a.parquet.gz")));
}

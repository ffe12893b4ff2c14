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
,,,,,,
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
    let values: Vec<f64> = (0..2000).map(|i| (f64::from(i) * 0.37).tan().powi(i % 9 + 1)).collect();
    let text = written("a.csv", &[TableColumn::number("a")], &values);
    let text = String::from_utf8(text).unwrap();
    let read: Vec<f64> = text.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert_eq!(read, values);
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
}

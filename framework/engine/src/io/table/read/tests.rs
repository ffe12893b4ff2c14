use super::*;
use std::io::Write as _;

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn format() -> Format {
    Format { groups: true, ..Format::default() }
}

/// Columns of a text by the types of their cells.
fn columns(text: impl AsRef<[u8]>, format: &Format) -> Result<Vec<Column>> {
    let (_folder, path) = written(text.as_ref());
    let file = TableFile::open(&path, format)?;
    let table = file.read(&vec![Wanted::Any; file.width()])?;
    Ok(table.columns.into_iter().flatten().collect())
}

/// Names and cells of a text, row by row.
fn cells(text: impl AsRef<[u8]>, format: &Format) -> (Option<Vec<String>>, Vec<Vec<String>>) {
    let (_folder, path) = written(text.as_ref());
    let file = TableFile::open(&path, format).unwrap();
    let table = file.read(&vec![Wanted::Texts; file.width()]).unwrap();
    let cell = |column: &Column, row: usize| match &column.cells {
        Cells::Texts { codes, texts } => {
            texts.get(codes[row] as usize).cloned().unwrap_or_default()
        }
        _ => unreachable!(),
    };
    let rows = (0..table.rows)
        .map(|row| table.columns.iter().flatten().map(|column| cell(column, row)).collect());
    (file.names().map(<[String]>::to_vec), rows.collect())
}

fn read(text: impl AsRef<[u8]>) -> (Option<Vec<String>>, Vec<Vec<String>>) {
    cells(text, &format())
}

fn numbers(column: &Column) -> (Vec<f64>, Option<u8>) {
    match &column.cells {
        Cells::Numbers { values, decimals } => (values.clone(), *decimals),
        other => panic!("no numbers: {other:?}"),
    }
}

fn message(text: impl AsRef<[u8]>, format: &Format) -> String {
    columns(text, format).unwrap_err().to_string()
}

#[test]
fn tables_with_and_without_names_are_read() {
    let (names, rows) = read("x, y\n1,2e3\n\n -3.5 ,\"4\"\n");
    assert_eq!(names.unwrap(), ["x", "y"]);
    assert_eq!(rows, [["1", "2e3"], ["-3.5", "4"]]);
    let (names, rows) = read("1,2\r\n3,4");
    assert_eq!((names, rows.len()), (None, 2));
    assert_eq!(rows[1], ["3", "4"]);
    assert_eq!(read("\u{feff}1\n2\n").1, [["1"], ["2"]]);
    assert_eq!(read("a\n1\n\n   \n2\n\"\"\n").1, [["1"], ["2"], [""]]);
    // Lines of an old Macintosh.
    assert_eq!(read("a,b\r1,2\r3,4\r").1, [["1", "2"], ["3", "4"]]);
}

#[test]
fn quotes_hold_separators_lines_and_quotes() {
    let text = "\"a,\"\"b\"\"\",c\n\"1\n2\",\" x \"\n \"y\" , z\"w\"\n\"q\"r,\n";
    let (names, rows) = read(text);
    assert_eq!(names.unwrap(), ["a,\"b\"", "c"]);
    assert_eq!(rows, [["1\n2", "x"], ["y", "z\"w\""], ["qr", ""]]);
    let error = message("a,b\n1,2\n\"3,4\n5,6\n", &format());
    assert!(error.ends_with("line 3: a quote is not closed"), "{error}");
}

#[test]
fn the_header_is_seen_or_said() {
    let with = |header| Format { header, ..format() };
    assert_eq!(cells("0,1\n5,6\n", &with(Header::Present)).0.unwrap(), ["0", "1"]);
    assert_eq!(cells("a,b\n5,6\n", &with(Header::Absent)).1.len(), 2);
    // A word above numbers is a name; a word above words beside numbers is a cell.
    assert_eq!(read("t,0,1\n1,2,3\n").0.unwrap(), ["t", "0", "1"]);
    assert_eq!(read("39,State-gov\n50,Self\n38,Private\n").1.len(), 3);
    let error = message("a,1\nb,2\n", &format());
    assert!(error.contains("line 1: some cells are numbers and some are not (`a`)"), "{error}");
}

#[test]
fn the_first_line_of_excel_names_the_separator() {
    for text in
        ["sep=;\na;b\n1,5;2\n", "\"sep=;\"\r\na;b\r\n1,5;2\r\n", "\u{feff}SEP=;\na;b\n1,5;2\n"]
    {
        let (names, rows) = read(text);
        assert_eq!(
            (names.unwrap(), rows),
            (vec!["a".to_owned(), "b".to_owned()], vec![vec!["1,5".to_owned(), "2".to_owned()]])
        );
    }
    assert_eq!(read("sep=x\n1\n").0.unwrap(), ["sep=x"]);
    let error = message("sep=;\na;b\n1;2\n3\n", &format());
    assert!(error.contains("line 4: 1 cells, but line 2 has 2"), "{error}");
}

#[test]
fn lines_of_separators_alone_are_blank() {
    let (names, rows) = read(",,\na,b,c\n1,,\n , ,\n2,3,4\n,,\n\n,,\n");
    assert_eq!(names.unwrap(), ["a", "b", "c"]);
    assert_eq!(rows, [["1", "", ""], ["2", "3", "4"]]);
    // Quotes make an empty cell a missing one.
    assert_eq!(read("a,b\n1,2\n\"\",\n").1.len(), 2);
}

#[test]
fn lines_before_the_names_and_comments_are_passed_over() {
    let with = |skip, comment| Format { skip, comment, ..format() };
    let title = "Study; of 2007\n\"two\na,b\n1,2\n#3,4\n5,6\n";
    let (names, rows) = cells(title, &with(2, Some(b'#')));
    assert_eq!((names.unwrap(), rows.len()), (vec!["a".to_owned(), "b".to_owned()], 2));
    let (names, rows) = cells("# made\n#,,,,\na,b\n# 1\n1,2\n#", &with(0, Some(b'#')));
    assert_eq!((names.unwrap(), rows.len()), (vec!["a".to_owned(), "b".to_owned()], 1));
    let error = message(title.replace("5,6", "x,y,z"), &with(2, Some(b'#')));
    assert!(error.contains("line 6: 3 cells, but line 3 has 2"), "{error}");
    assert!(message("a\n", &with(5, None)).contains("has no rows"));
    let late = "x\r\n".repeat(400_000) + "a,b\r\n1,2\r\n";
    assert_eq!(cells(late, &with(400_000, None)).1, [["1", "2"]]);
    let error = message("Study\na,b,c\n1,2,3\n4,5,6\n", &format());
    assert!(
        error.ends_with("if lines stand above the names of the columns, set data.skip=1"),
        "{error}"
    );
    let error = message("# a\n# b\na,b,c\n1,2,3\n4,5,6\n7,8,9\n", &format());
    assert!(error.contains("data.comment='#', or data.skip=2"), "{error}");
    let error = message("a,b,c\n1,2,3\n# x\n4,5,6\n", &format());
    assert!(error.contains("line 3: 1 cells, but line 1 has 3; if it is a comment"), "{error}");
}

#[test]
fn a_file_of_another_kind_is_named() {
    for (bytes, part) in [
        (&b"PK\x03\x04\x14\0"[..], "is a zip archive, as workbooks of Excel"),
        (b"\xd0\xcf\x11\xe0\xa1", "is a workbook of Excel (.xls)"),
        (b"\x28\xb5\x2f\xfd\x04", "is packed by another method than gzip"),
        (b"a,b\n1,2\n3,\x004\n5,6\n7,8\n", "line 3 holds a byte of 0"),
    ] {
        let error = message(bytes, &format());
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_line_of_a_row_is_found() {
    let (_folder, path) = written(b"# x\na,b\n\n1,2\n,\n\"3\n\",4\n5,6\n");
    let format = Format { comment: Some(b'#'), ..format() };
    let file = TableFile::open(&path, &format).unwrap();
    assert_eq!([0, 1, 2].map(|row| file.place(row).unwrap()), ["line 4", "line 6", "line 8"]);
}

#[test]
fn a_column_of_row_names_has_no_name() {
    for text in
        [",x0,label\n0,1.5,2\n", "\"\",\"x0\",\"label\"\n\"1\",1.5,2\n", "x0,label\n1,1.5,2\n"]
    {
        let (names, rows) = read(text);
        assert_eq!(names.unwrap(), ["", "x0", "label"], "{text}");
        assert_eq!(rows[0][1..], ["1.5", "2"]);
    }
}

#[test]
fn a_separator_behind_the_last_cell_ends_no_column() {
    for text in ["x,y,\n1,2,\n3,4,\n", "x,y\n1,2,\n3,4,\n", "x,y,\n1,2\n3,4\n"] {
        let (names, rows) = read(text);
        assert_eq!(names.unwrap(), ["x", "y"], "{text}");
        assert_eq!(rows, [["1", "2"], ["3", "4"]], "{text}");
    }
    assert_eq!(read("1,2,\n3,4,\n").1, [["1", "2"], ["3", "4"]]);
    assert_eq!(read("1,2,\n3,4,5\n").1, [["1", "2", ""], ["3", "4", "5"]]);
    assert_eq!(read("x,y\n1,\n3,\n").1, [["1", ""], ["3", ""]]);
    let late = "x,y,\n".to_owned() + &"1,2,\n".repeat(1500) + "1,2,3\n";
    let error = message(late, &format());
    assert!(error.contains("line 1502: 3 cells, but the last cell of the first rows"), "{error}");
}

#[test]
fn separators_are_seen_or_said() {
    for (text, separator) in [
        ("x\ty\n1\t2,5\n", b'\t'),
        ("x;y\n1,5;2,5\n", b';'),
        ("1,5;2,5\n1;2\n", b';'),
        ("x,y\n1,a;b\n", b','),
        ("x|y\n1|2\n", b'|'),
        ("x\n1\n", b','),
        ("x y,\"a;b\"\n1,2\n", b','),
    ] {
        let (_folder, path) = written(text.as_bytes());
        let Layout::Text(dialect) = TableFile::open(&path, &format()).unwrap().layout else {
            panic!()
        };
        assert_eq!(dialect.separator, separator, "{text:?}");
    }
    let comma = Format { separator: Some(b','), header: Header::Absent, ..format() };
    assert_eq!(cells("1;2,3\n4;5,6\n", &comma).1, [["1;2", "3"], ["4;5", "6"]]);
}

#[test]
fn each_column_has_the_first_type_that_all_of_its_cells_have() {
    let text = "n;d;t;w;g;e\n1;1,5;2001-02-03;a;1.234;\n-2;;2001-02-04;NA;1.000;\n";
    let all = columns(text, &format()).unwrap();
    assert_eq!(numbers(&all[0]), (vec![1.0, -2.0], Some(0)));
    let (values, decimals) = numbers(&all[1]);
    assert!(values[0] == 1.5 && values[1].is_nan() && decimals == Some(1));
    let Cells::Times { values, format: time, .. } = &all[2].cells else { panic!() };
    assert_eq!((values[1] - values[0], time.as_str()), (86_400.0, "%Y-%m-%d"));
    let Cells::Texts { codes, texts } = &all[3].cells else { panic!() };
    assert_eq!((&codes[..], &texts[..]), (&[0, MISSING][..], &["a".to_owned()][..]));
    // Points stand between groups, as the other columns have decimal commas.
    assert_eq!(numbers(&all[4]), (vec![1234.0, 1000.0], Some(0)));
    assert_eq!(all.iter().map(|column| column.missing).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 2]);
}

#[test]
fn a_column_that_changes_behind_the_first_rows_is_read_again() {
    let late = |first: &str, last: &str| {
        let text = format!("a;b\n{}{last};1\n", format!("{first};1\n").repeat(2000));
        columns(text, &format()).unwrap().swap_remove(0)
    };
    for (first, last, expected) in
        [("1", "2.5", 2.5), ("1", "2,5", 2.5), ("1", "1.234.567", 1_234_567.0), ("7", "1 000", 1e3)]
    {
        let column = late(first, last);
        assert_eq!(numbers(&column).0[2000], expected, "{first} {last}");
        assert_eq!(numbers(&column).0[0], first.parse::<f64>().unwrap());
    }
    let Cells::Times { format, values, certain } = late("03/04/2001", "13/04/2001").cells else {
        panic!()
    };
    assert_eq!((format.as_str(), values[2000] - values[0], certain), ("%d/%m/%Y", 864e3, true));
    for (first, last) in [("1", "x"), ("2001-01-01", "x"), ("1,5", "2.5"), ("12", "007")] {
        let Cells::Texts { codes, texts } = late(first, last).cells else { panic!() };
        assert_eq!((codes[0], codes[2000], texts), (0, 1, vec![first.to_owned(), last.to_owned()]));
    }
}

#[test]
fn wanted_types_are_read_or_the_cell_is_named() {
    let (_folder, path) = written(b"a,b\n1,x\n007,2\n3,1e999\n");
    let file = TableFile::open(&path, &format()).unwrap();
    let read = |a, b| file.read(&[a, b]).map(|table| table.columns);
    let all = read(Wanted::Numbers, Wanted::Nothing).unwrap();
    assert_eq!(numbers(all[0].as_ref().unwrap()).0, [1.0, 7.0, 3.0]);
    assert!(all[1].is_none());
    for (wanted, end) in [
        (Wanted::Numbers, "line 2: column `b`: `x` is not a number"),
        (
            Wanted::Times(None),
            "line 2: column `b`: `x` is no time in a usual format, such as 2001-12-31 or 31.12.2001",
        ),
        (
            Wanted::Times(Some("%Y".to_owned())),
            "line 2: column `b`: `x` is no time in the format %Y",
        ),
    ] {
        let error = read(Wanted::Nothing, wanted).unwrap_err().to_string();
        assert!(error.ends_with(end), "{error}");
    }
    let error = message("a\n1\ninf\n", &format());
    assert!(
        error.contains("line 3: column `a`: `inf` is not finite; fix it, or name it in"),
        "{error}"
    );
    let point = Format { decimal: Some(b'.'), ..Format::default() };
    let (_folder, path) = written(b"a;b\n1,5;1\n");
    let file = TableFile::open(&path, &point).unwrap();
    let error = file.read(&[Wanted::Numbers, Wanted::Nothing]).unwrap_err().to_string();
    let end = "`1,5` is not a number; for decimal commas, set data.decimal=comma";
    assert!(error.ends_with(end), "{error}");
}

#[test]
fn errors_name_line_and_column() {
    for (text, part) in [
        ("a,b\n1,2\n3\n", "line 3: 1 cells, but line 1 has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells, but line 1 has 2"),
        ("a,b\n1,2,3\n4,5\n", "line 3: 2 cells, but line 2 has 3"),
        ("a,a\n1,2\n", "line 1: columns 0 and 1 (counted from 0) are both called `a`"),
        ("", "has no rows"),
        ("\n\n", "has no rows"),
        ("a,b\n", "has no rows"),
    ] {
        let message = message(text, &format());
        assert!(message.contains(part) && message.contains("t.csv"), "{text:?}: {message}");
    }
    let (_folder, path) = written("\r\na,b\r\n\r\n\r\n3,x\r\n".as_bytes());
    let file = TableFile::open(&path, &format()).unwrap();
    let found = file.find(1, false, &mut |_| true).unwrap().unwrap();
    assert_eq!(found, ("line 5: column `b`".to_owned(), "x".to_owned()));
    assert!(TableFile::open(Path::new("/no/such.csv"), &format()).is_err());
}

#[test]
fn text_is_decoded_as_it_is_marked_or_as_it_is_said() {
    let name = |bytes: &[u8], encoding: Option<&str>| {
        let format = Format { encoding: encoding.map(str::to_owned), ..format() };
        cells(bytes, &format).0.unwrap().remove(0)
    };
    assert_eq!(name("\u{feff}größe\n1\n".as_bytes(), None), "größe");
    let wide: Vec<u8> = "\u{feff}größe\n1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = "\u{feff}größe\n1\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&wide, &big] {
        assert_eq!(name(bytes, None), "größe");
        assert_eq!(name(bytes, Some("utf-16")), "größe");
    }
    assert_eq!(name(&wide[2..], Some("utf-16")), "größe");
    for label in ["latin1", "windows-1252", "ISO-8859-1"] {
        assert_eq!(name(b"gr\xf6\xdfe\n1\n", Some(label)), "größe");
    }
}

#[test]
fn text_of_another_encoding_names_line_and_key() {
    let error_of = |bytes: &[u8], encoding: Option<&str>| {
        message(bytes, &Format { encoding: encoding.map(str::to_owned), ..format() })
    };
    let error = error_of(b"a,b\n1,2\ngr\xf6\xdfe,1\n", None);
    assert!(
        error.contains("t.csv: line 3 is not UTF-8") && error.contains("data.encoding=latin1"),
        "{error}"
    );
    let wide: Vec<u8> = "a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(error_of(&wide, None).contains("data.encoding=utf-16le"));
    let error = error_of(b"\xff", Some("utf-8"));
    assert!(error.ends_with("is no text in the encoding UTF-8"), "{error}");
    assert!(
        error_of(b"a", Some("lattin")).starts_with("there is no encoding `lattin`\n  at encoding")
    );
}

#[test]
fn a_packed_text_is_unpacked_and_a_damaged_one_refused() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"x\n1\n").unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(read(&packed).1, [["1"]]);
    let error = message(&packed[..packed.len() - 9], &format());
    assert!(error.contains("is a damaged gzip file"), "{error}");
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..65 {
        bomb.write_all(&[b"0\n".repeat(1 << 19)].concat()).unwrap();
    }
    let error = message(bomb.finish().unwrap(), &format());
    assert!(error.contains("bytes, more than 200 times as many"), "{error}");
}

/// Text in pieces: every place of the end of a piece gives the same rows.
#[test]
fn a_text_longer_than_a_piece_is_read_as_a_short_one() {
    let rows: Vec<[String; 2]> = (0..60_000)
        .map(|i| [format!("{}.{:03}", i % 977, i % 1000), format!("größe \"{}\"\n,", i % 13)])
        .collect();
    let line = |[a, b]: &[String; 2]| format!("{a},\"{}\"\r\n", b.replace('"', "\"\""));
    let text = format!("a,b\r\n{}", rows.iter().map(line).collect::<String>());
    assert!(text.len() > 1 << 20);
    let all = columns(&text, &format()).unwrap();
    let (values, decimals) = numbers(&all[0]);
    let Cells::Texts { codes, texts } = &all[1].cells else { panic!() };
    assert_eq!(decimals, Some(3));
    for (row, [a, b]) in rows.iter().enumerate() {
        assert_eq!(values[row], a.parse::<f64>().unwrap());
        assert_eq!(&texts[codes[row] as usize], b.trim());
    }
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = columns(&wide, &Format { encoding: Some("utf-16le".to_owned()), ..format() });
    assert_eq!(wide.unwrap(), all);
}

#[test]
fn a_row_has_a_hundred_thousand_cells_at_most() {
    let row = |cells: usize| format!("{}\n", vec!["1"; cells].join(","));
    let absent = Format { header: Header::Absent, ..format() };
    assert_eq!(columns(row(100_000), &absent).unwrap().len(), 100_000);
    let message = message(row(3) + &row(100_001), &absent);
    assert!(message.ends_with("line 2 has more than 100000 cells"), "{message}");
}

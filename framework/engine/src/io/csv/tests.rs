use super::*;

fn open(text: &str, format: &Format) -> Result<Sheet> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    Sheet::open(&path, format)
}

/// All cells of a sheet, row by row.
fn cells(sheet: &Sheet) -> Vec<Vec<String>> {
    let (mut rows, columns) = (Vec::new(), (0..sheet.width()).collect::<Vec<_>>());
    let mut keep = |cells: &[&str]| {
        rows.push(cells.iter().map(|cell| (*cell).to_owned()).collect());
        Ok(())
    };
    sheet.visit(&columns, &mut keep).unwrap();
    assert_eq!(rows.len(), sheet.row_count());
    rows
}

fn read(text: &str) -> (Option<Vec<String>>, Vec<Vec<String>>) {
    let sheet = open(text, &Format::default()).unwrap();
    (sheet.names().map(<[String]>::to_vec), cells(&sheet))
}

fn message(text: &str) -> String {
    open(text, &Format::default()).unwrap_err().to_string()
}

#[test]
fn tables_with_and_without_names_are_read() {
    let (names, rows) = read("x, y\n1,2e3\n\n -3.5 ,\"4\"\n");
    assert_eq!(names.unwrap(), ["x", "y"]);
    assert_eq!(rows, [["1", "2e3"], ["-3.5", "4"]]);
    let (names, rows) = read("1,2\r\n3,4");
    assert_eq!(
        (names, rows),
        (None, vec![vec!["1".to_owned(), "2".to_owned()], vec!["3".to_owned(), "4".to_owned()]])
    );
    assert_eq!(read("\u{feff}1\n2\n").1, [["1"], ["2"]]);
    assert_eq!(read("a\n1\n\n   \n2\n\"\"\n").1, [["1"], ["2"], [""]]);
}

#[test]
fn the_header_can_be_said() {
    let with_header = |header| Format { header, ..Format::default() };
    let sheet = open("0,1\n5,6\n", &with_header(Header::Present)).unwrap();
    assert_eq!(sheet.names().unwrap(), ["0", "1"]);
    assert_eq!(open("a,b\n5,6\n", &with_header(Header::Absent)).unwrap().row_count(), 2);
    let error = message("t,0,1\n1,2,3\n");
    assert!(error.contains("line 1: some cells are numbers and some are not (`t`)"), "{error}");
    assert_eq!(open("t,0,1\n1,2,3\n", &with_header(Header::Present)).unwrap().row_count(), 1);
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
        let sheet = open(text, &Format::default()).unwrap();
        assert_eq!(sheet.separator(), separator, "{text:?}");
    }
    let header = Header::Absent;
    let format = Format { separator: Some(b','), header, ..Format::default() };
    assert_eq!(cells(&open("1;2,3\n4;5,6\n", &format).unwrap()), [["1;2", "3"], ["4;5", "6"]]);
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
        let message = message(text);
        assert!(message.contains(part) && message.contains("t.csv"), "{text:?}: {message}");
    }
    let sheet = open("\r\na,b\r\n\r\n\r\n3,x\r\n", &Format::default()).unwrap();
    let error = sheet.visit(&[1], &mut |cells| Err((0, format!("`{}`!", cells[0])))).unwrap_err();
    assert!(error.to_string().ends_with("line 5: column `b`: `x`!"), "{error}");
    assert!(Sheet::open(Path::new("/no/such.csv"), &Format::default()).is_err());
}

#[test]
fn numbers_have_a_point_or_where_asked_a_comma() {
    for (cell, point, comma) in [
        ("1.5", Some(1.5), None),
        ("-1,5", None, Some(-1.5)),
        ("2e3", Some(2000.0), Some(2000.0)),
        ("1,5e-1", None, Some(0.15)),
        ("1.000,5", None, None),
        ("1,2,3", None, None),
        ("x", None, None),
        ("", None, None),
    ] {
        assert_eq!((number(cell, false), number(cell, true)), (point, comma), "{cell}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let x = [0.1, -0.0, 1e300, 5e-324, 1.0 / 3.0];
    let names = ["a", "b, c", "\"", "", "ä"].map(str::to_owned);
    write_csv(&path, Some(&["x, first", "y"]), &[Cells::Numbers(&x), Cells::Texts(&names)])
        .unwrap();
    let sheet = Sheet::open(&path, &Format::default()).unwrap();
    assert_eq!(sheet.names().unwrap(), ["x, first", "y"]);
    for (row, (x, name)) in cells(&sheet).into_iter().zip(x.iter().zip(&names)) {
        assert_eq!((number(&row[0], false), &row[1]), (Some(*x), name));
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("\"x, first\",y\n0.1,a\n-0.0,\"b, c\"\n1e300,"), "{text}");
}

#[test]
fn columns_that_do_not_fit_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let numbers = |all| Cells::Numbers(all);
    assert!(write_csv(&path, None, &[numbers(&[1.0]), numbers(&[1.0, 2.0])]).is_err());
    assert!(write_csv(&path, Some(&["a"]), &[numbers(&[1.0]), numbers(&[1.0])]).is_err());
    assert!(!path.exists());
}

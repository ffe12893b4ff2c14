//! Tables of numbers as comma-separated text. Every cell must be a finite number, and an error names
//! the line and the column of the first one that is not. Whether the first line holds names is seen
//! from its cells, or said by the caller.

use std::path::Path;

use super::write_atomically;
use crate::{Error, Result};

/// Whether the first line of a table holds the names of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// It does if none of its cells is a number and none is empty; if only some are numbers, that is an
    /// error.
    #[default]
    Detect,
    /// It does.
    Present,
    /// It does not.
    Absent,
}

/// A table of numbers, column by column.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The names of the columns, where the file has them.
    pub names: Option<Vec<String>>,
    /// The columns: at least one, all equally long.
    pub columns: Vec<Vec<f64>>,
}

impl Table {
    /// The number of rows.
    pub fn row_count(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let position = self.names.as_ref()?.iter().position(|n| n == name)?;
        self.columns.get(position).map(Vec::as_slice)
    }
}

/// Reads a table with at least one row. Blank lines and spaces around cells are passed over.
pub fn read_csv(path: &Path, header: Header) -> Result<Table> {
    let text =
        std::fs::read(path).map_err(|e| Error::data(path, format!("cannot be read: {e}")))?;
    let unreadable = |e: csv::Error| Error::data(path, format!("cannot be read: {e}"));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(&text[..]);
    let mut record = csv::StringRecord::new();
    let (mut names, mut columns, mut first_line) = (None, Vec::<Vec<f64>>::new(), 0);
    while reader.read_record(&mut record).map_err(unreadable)? {
        let start = record.position().map_or(0, |p| p.byte() as usize);
        let wrong =
            |what: String| Error::data(path, format!("line {}: {what}", line_of(&text, start)));
        if columns.is_empty() {
            first_line = line_of(&text, start);
            columns = vec![Vec::new(); record.len()];
            if has_names(&record, header).map_err(wrong)? {
                names = Some(column_names(&record).map_err(wrong)?);
                continue;
            }
        }
        if record.len() != columns.len() {
            return Err(wrong(format!(
                "{} cells, but line {first_line} has {}{}",
                record.len(),
                columns.len(),
                separator_hint(&record)
            )));
        }
        for (i, cell) in record.iter().enumerate() {
            let value = number(cell).map_err(|what| {
                let name =
                    names.as_ref().map(|names| format!(" (`{}`)", names[i])).unwrap_or_default();
                wrong(format!("column {}{name}: {what}{}", i + 1, separator_hint(&record)))
            })?;
            columns[i].push(value);
        }
    }
    if columns.first().is_none_or(Vec::is_empty) {
        return Err(Error::data(path, "has no rows of numbers"));
    }
    Ok(Table { names, columns })
}

/// Writes equally long columns under their names, if there are any, whole or not at all. Every number is
/// written with as many digits as it takes to read the same number back.
pub fn write_csv(path: &Path, names: Option<&[&str]>, columns: &[&[f64]]) -> Result<()> {
    let rows = columns.first().map_or(0, |c| c.len());
    if let Some(column) = columns.iter().position(|c| c.len() != rows) {
        return Err(Error::runtime(format!(
            "the columns of a table must be equally long, but the first has {rows} rows and number {} has {}",
            column + 1,
            columns[column].len()
        )));
    }
    if let Some(names) = names.filter(|names| names.len() != columns.len()) {
        return Err(Error::runtime(format!("{} names for {} columns", names.len(), columns.len())));
    }
    write_atomically(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        if let Some(names) = names {
            writer.write_record(names)?;
        }
        for i in 0..rows {
            writer.write_record(columns.iter().map(|c| written(c[i])))?;
        }
        writer.flush()?;
        drop(writer);
        Ok(())
    })
}

/// Whole numbers as such; the exponent form for very large and very small numbers.
fn written(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        format!("{value:.0}")
    } else {
        format!("{value:?}")
    }
}

/// The line of the record that starts at a byte, after the blank lines there.
fn line_of(text: &[u8], start: usize) -> usize {
    let blank = text[start..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    1 + text[..start + blank].iter().filter(|b| **b == b'\n').count()
}

fn has_names(record: &csv::StringRecord, header: Header) -> Result<bool, String> {
    match header {
        Header::Present => return Ok(true),
        Header::Absent => return Ok(false),
        Header::Detect => {}
    }
    let word = |cell: &&str| !cell.is_empty() && cell.parse::<f64>().is_err();
    let words = record.iter().filter(word).count();
    // an empty cell beside words is a name left out, beside numbers a number left out
    if words == 0 || words == record.len() {
        return Ok(words > 0);
    }
    let example = record.iter().find(word).unwrap_or_default();
    Err(format!(
        "some cells are numbers and some are not (`{example}`), so it may be names or a row: say which \
         with the header option{}",
        separator_hint(record)
    ))
}

fn column_names(record: &csv::StringRecord) -> Result<Vec<String>, String> {
    let mut names = Vec::with_capacity(record.len());
    for (i, name) in record.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} has no name", i + 1));
        }
        if let Some(other) = names.iter().position(|n| n == name) {
            return Err(format!("columns {} and {} are both called `{name}`", other + 1, i + 1));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn number(cell: &str) -> Result<f64, String> {
    if cell.is_empty() {
        return Err("the cell is empty".to_owned());
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("`{cell}` is not finite")),
        Err(_) => Err(format!("`{cell}` is no number")),
    }
}

fn separator_hint(record: &csv::StringRecord) -> &'static str {
    if record.iter().any(|cell| cell.contains([';', '\t'])) {
        "; cells are separated by commas, not by semicolons or tabs"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, header: Header) -> Result<Table> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        read_csv(&path, header)
    }

    fn message(text: &str) -> String {
        read(text, Header::Detect).unwrap_err().to_string()
    }

    #[test]
    fn tables_with_and_without_names_are_read() {
        let table = read("x, y\n1,2e3\n\n -3.5 ,\"4\"\n", Header::Detect).unwrap();
        assert_eq!(table.names, Some(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(table.columns, [[1.0, -3.5], [2000.0, 4.0]]);
        assert_eq!(table.column("y"), Some(&[2000.0, 4.0][..]));
        assert_eq!((table.column("z"), table.row_count()), (None, 2));
        let table = read("1,2\r\n3,4", Header::Detect).unwrap();
        assert_eq!((table.names, table.columns), (None, vec![vec![1.0, 3.0], vec![2.0, 4.0]]));
        let table = read("\u{feff}1\n2\n", Header::Detect).unwrap();
        assert_eq!(table.columns, [[1.0, 2.0]]);
    }

    #[test]
    fn the_header_can_be_said() {
        let table = read("0,1\n5,6\n", Header::Present).unwrap();
        assert_eq!(table.column("1"), Some(&[6.0][..]));
        let error = read("a,b\n5,6\n", Header::Absent).unwrap_err().to_string();
        assert!(error.contains("line 1: column 1: `a` is no number"), "{error}");
        let error = message("t,0,1\n1,2,3\n");
        assert!(error.contains("line 1: some cells are numbers and some are not (`t`)"), "{error}");
        assert_eq!(read("t,0,1\n1,2,3\n", Header::Present).unwrap().columns.len(), 3);
    }

    #[test]
    fn errors_name_line_and_column() {
        for (text, part) in [
            ("a,b\n1,2\n3\n", "line 3: 1 cells, but line 1 has 2"),
            ("a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells, but line 1 has 2"),
            ("a,b\n1,2\n3,x\n", "line 3: column 2 (`b`): `x` is no number"),
            ("\r\n1,2\r\n\r\n\r\n3,x\r\n", "line 5: column 2: `x`"),
            ("1,2\n3,\n", "line 2: column 2: the cell is empty"),
            ("1,\n3,4\n", "line 1: column 2: the cell is empty"),
            ("1,2\n3,NaN\n", "line 2: column 2: `NaN` is not finite"),
            ("nan,2\n3,4\n", "line 1: column 1: `nan` is not finite"),
            ("1,2\n3,1e999\n", "line 2: column 2: `1e999` is not finite"),
            ("a;b\n1;2\n", "separated by commas"),
            ("a,\n1,2\n", "some cells are numbers and some are not"),
            ("a,a\n1,2\n", "columns 1 and 2 are both called `a`"),
            ("", "no rows"),
            ("\n\n", "no rows"),
            ("a,b\n", "no rows"),
        ] {
            let message = message(text);
            assert!(message.contains(part) && message.contains("t.csv"), "{text:?}: {message}");
        }
        assert!(read_csv(Path::new("/no/such.csv"), Header::Detect).is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, b"1,2\n\xff,3\n").unwrap();
        assert!(
            read_csv(&path, Header::Detect).unwrap_err().to_string().contains("cannot be read")
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let x = [0.1, -0.0, 1e300, 5e-324, 1.0 / 3.0];
        let y = [1.0, 2.0, 3.0, 4.0, f64::MAX];
        write_csv(&path, Some(&["x, first", "y"]), &[&x, &y]).unwrap();
        let table = read_csv(&path, Header::Detect).unwrap();
        assert_eq!(table.column("x, first"), Some(&x[..]));
        assert_eq!(table.column("y"), Some(&y[..]));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("\"x, first\",y\n0.1,1\n-0.0,2\n1e300,3\n"), "{text}");
        write_csv(&path, None, &[&x]).unwrap();
        assert_eq!(read_csv(&path, Header::Detect).unwrap().columns, [x]);
    }

    #[test]
    fn columns_that_do_not_fit_are_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        assert!(write_csv(&path, None, &[&[1.0], &[1.0, 2.0]]).is_err());
        assert!(write_csv(&path, Some(&["a"]), &[&[1.0], &[1.0]]).is_err());
        assert!(!path.exists());
    }
}

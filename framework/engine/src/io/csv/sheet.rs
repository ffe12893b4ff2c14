use std::path::{Path, PathBuf};

use super::text::read_text;
use crate::{Error, Result};

/// Presence of a header, a first line that holds the names of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// The first line is a header if none of its cells is a number; if only some are, that is an
    /// error.
    #[default]
    Detect,
    /// The first line is a header.
    Present,
    /// The first line is a row.
    Absent,
}

/// Options for reading a table.
#[derive(Clone, Debug, Default)]
pub struct Format {
    /// Presence of a line of names.
    pub header: Header,
    /// Separator between cells, in ASCII; `None`: a tab, a semicolon, a comma or a bar, detected
    /// from the first lines.
    pub separator: Option<u8>,
    /// Name of the encoding in the WHATWG's list, such as `latin1`; `None`: UTF-8, or UTF-16 if the
    /// text begins with a byte order mark of that.
    pub encoding: Option<String>,
}

/// A table of text, one example a row, whose cells are parsed on demand. Blank lines and spaces
/// around cells are ignored, and so is a last cell that is empty in every line.
#[derive(Debug)]
pub struct Sheet {
    path: PathBuf,
    text: String,
    separator: u8,
    /// One for each column, empty for a column without one; `None` without a header.
    names: Option<Vec<String>>,
    /// Number of columns, without a last one that is empty in every line.
    width: usize,
    rows: usize,
}

/// Number of first lines from which a separator is detected.
const DETECTION_LINES: usize = 20;

/// Result of visiting one row; an error is the position of a cell among those of the visit, and
/// what is wrong with it.
pub type Visited = std::result::Result<(), (usize, String)>;

impl Sheet {
    /// Reads the text and checks that all rows have equally many cells.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read, its text is in another encoding, lines have
    /// different numbers of cells, a name occurs twice, the first line may be a header or a row, or
    /// there is no row. [`Error::Config`]: there is no such encoding.
    pub fn open(path: &Path, format: &Format) -> Result<Self> {
        let text = read_text(path, format.encoding.as_deref())?;
        let separator = format.separator.unwrap_or_else(|| separator_of(&text));
        let mut sheet =
            Self { path: path.to_owned(), text, separator, names: None, width: 0, rows: 0 };
        sheet.measure(format.header)?;
        Ok(sheet)
    }

    /// The names of the columns, empty for a column without one; `None` if the file has no header.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows, at least one.
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// Separator between cells, in ASCII.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// Name of a column for a message, such as "column `age`"; `column` counts from 0.
    pub fn called(&self, column: usize) -> String {
        match self.names.as_ref().and_then(|names| names.get(column)).map(String::as_str) {
            None | Some("") => format!("column {column} (counted from 0)"),
            Some(name) => format!("column `{name}`"),
        }
    }

    /// Calls `f` with the cells of each row in the given columns, which count from 0.
    ///
    /// # Errors
    /// [`Error::Data`]: the first error of `f`, with the line and the name of the column.
    pub fn visit(&self, columns: &[usize], f: &mut dyn FnMut(&[&str]) -> Visited) -> Result<()> {
        let mut reader = self.reader();
        let mut record = csv::StringRecord::new();
        if self.names.is_some() {
            self.next(&mut reader, &mut record)?;
        }
        while self.next(&mut reader, &mut record)? {
            let cells: Vec<&str> =
                columns.iter().map(|i| record.get(*i).unwrap_or_default()).collect();
            f(&cells).map_err(|(i, what)| {
                let column = columns.get(i).copied().unwrap_or_default();
                self.wrong(&record, &format!("{}: {what}", self.called(column)))
            })?;
        }
        Ok(())
    }

    fn reader(&self) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.separator)
            .trim(csv::Trim::All)
            .from_reader(self.text.as_bytes())
    }

    /// Reads the next line that is not blank; `false` at the end.
    fn next(
        &self,
        reader: &mut csv::Reader<&[u8]>,
        record: &mut csv::StringRecord,
    ) -> Result<bool> {
        let unreadable = |e: csv::Error| Error::data(&self.path, format!("cannot be read: {e}"));
        loop {
            if !reader.read_record(record).map_err(unreadable)? {
                return Ok(false);
            }
            let blank = record.len() == 1 && record[0].is_empty() && !self.is_quoted(record);
            if !blank {
                return Ok(true);
            }
        }
    }

    /// True if the first cell of a line is in quotes: an empty one is a cell, and no blank line.
    fn is_quoted(&self, record: &csv::StringRecord) -> bool {
        let start = record.position().map_or(0, |p| p.byte() as usize);
        self.text[start..].trim_start().starts_with('"')
    }

    /// Error about the line of a record.
    fn wrong(&self, record: &csv::StringRecord, what: &str) -> Error {
        let start = record.position().map_or(0, |p| p.byte() as usize);
        Error::data(&self.path, format!("line {}: {what}", line_of(self.text.as_bytes(), start)))
    }

    /// Finds the names and the numbers of columns and rows.
    fn measure(&mut self, header: Header) -> Result<()> {
        let mut reader = self.reader();
        let mut record = csv::StringRecord::new();
        if !self.next(&mut reader, &mut record)? {
            return Err(Error::data(&self.path, "has no rows"));
        }
        let first = record.clone();
        let has_names = has_names(&first, header).map_err(|what| self.wrong(&first, &what))?;
        // All lines must have as many cells as `reference` does.
        let (mut reference, mut cells) = (first.clone(), first.len());
        let (mut ends_empty, mut rows) = (true, 0);
        let mut more = !has_names || self.next(&mut reader, &mut record)?;
        while more {
            let n = record.len();
            let differs_from_names = has_names && rows == 0 && n != cells;
            if differs_from_names && (n == cells + 1 || n + 1 == cells && first[n].is_empty()) {
                (reference, cells) = (record.clone(), n);
            }
            if n != cells {
                let start = reference.position().map_or(0, |p| p.byte() as usize);
                let line = line_of(self.text.as_bytes(), start);
                let what = format!("{n} cells, but line {line} has {cells}");
                return Err(self.wrong(&record, &what));
            }
            ends_empty &= record[n - 1].is_empty();
            rows += 1;
            more = self.next(&mut reader, &mut record)?;
        }
        if rows == 0 {
            return Err(Error::data(&self.path, "has no rows"));
        }
        // A separator at the end of every line begins no further column.
        let names = has_names.then(|| first.iter().map(str::to_owned).collect::<Vec<_>>());
        let nameless_end = match &names {
            Some(names) if names.len() == cells => names[cells - 1].is_empty(),
            Some(names) => names.len() + 1 == cells,
            None => true,
        };
        let width = if cells > 1 && ends_empty && nameless_end { cells - 1 } else { cells };
        let names = names.map(|mut names| {
            if names.len() + 1 == width {
                // R writes names of rows in a first column that has no name itself.
                names.insert(0, String::new());
            }
            names.truncate(width);
            names
        });
        if let Some(names) = &names {
            self.check_names(names).map_err(|what| self.wrong(&first, &what))?;
        }
        (self.names, self.width, self.rows) = (names, width, rows);
        Ok(())
    }

    /// Checks that no two columns have the same name, and logs those that have none.
    fn check_names(&self, names: &[String]) -> std::result::Result<(), String> {
        let mut seen = std::collections::HashMap::new();
        for (i, name) in names.iter().enumerate() {
            if name.is_empty() {
                log::info!(
                    "{}: column {i} (counted from 0) has no name and is passed over",
                    self.path.display()
                );
            } else if let Some(other) = seen.insert(name, i) {
                return Err(format!(
                    "columns {other} and {i} (counted from 0) are both called `{name}`"
                ));
            }
        }
        Ok(())
    }
}

/// Number, from 1, of the line of the record at byte `start`; blank lines may precede it there.
fn line_of(text: &[u8], start: usize) -> usize {
    let blank = text[start..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    1 + text[..start + blank].iter().filter(|b| **b == b'\n').count()
}

fn has_names(record: &csv::StringRecord, header: Header) -> std::result::Result<bool, String> {
    match header {
        Header::Present => return Ok(true),
        Header::Absent => return Ok(false),
        Header::Detect => {}
    }
    let full = || record.iter().filter(|cell| !is_missing(cell));
    let is_number = |cell: &str| number(cell, false).or_else(|| number(cell, true)).is_some();
    let words = full().filter(|cell| !is_number(cell)).count();
    // An empty cell beside words is a name left out, beside numbers a number left out.
    if words == 0 || words == full().count() {
        return Ok(words > 0);
    }
    let example = full().find(|cell| !is_number(cell)).unwrap_or_default();
    Err(format!(
        "some cells are numbers and some are not (`{example}`), so it may be names or a row: \
         say which with data.header=present or absent"
    ))
}

/// Detects the separator of a text: the first of tab, semicolon, comma and bar that divides its
/// first lines into equally many cells; the first line may have one more or fewer.
fn separator_of(text: &str) -> u8 {
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim().is_empty()).take(DETECTION_LINES).collect();
    let head = lines.join("\n");
    let counts = |separator: u8| -> Vec<usize> {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(separator);
        let mut reader = reader.from_reader(head.as_bytes());
        reader.byte_records().flatten().map(|record| record.len()).collect()
    };
    let known = [b'\t', b';', b',', b'|'];
    let divides = |separator: &u8| {
        let counts = counts(*separator);
        let Some((first, rest)) = counts.split_first() else { return false };
        let Some(row) = rest.first() else { return *first > 1 };
        *first > 1 && *row > 1 && first.abs_diff(*row) < 2 && rest.iter().all(|n| n == row)
    };
    let most = |separator: &u8| counts(*separator).first().copied().unwrap_or_default();
    let detected = known.into_iter().find(|separator| divides(separator));
    detected.unwrap_or_else(|| {
        let most = known.into_iter().max_by_key(most).filter(|separator| most(separator) > 1);
        most.unwrap_or(b',')
    })
}

/// True if a cell is empty or says that the value is missing, as pandas and R write it.
pub fn is_missing(cell: &str) -> bool {
    matches!(
        cell,
        "" | "NA"
            | "N/A"
            | "n/a"
            | "#N/A"
            | "<NA>"
            | "NaN"
            | "nan"
            | "-nan"
            | "null"
            | "NULL"
            | "None"
    )
}

/// Parses the number in a cell, which may be infinite or NaN; with a decimal comma in place of a
/// point if `decimal_comma`. `None` if it is no number.
pub fn number(cell: &str, decimal_comma: bool) -> Option<f64> {
    if !decimal_comma {
        return cell.parse().ok();
    }
    let (whole, part) = cell.split_once(',').unwrap_or((cell, ""));
    let plain = !cell.contains('.') && !part.contains(',');
    if !plain {
        return None;
    }
    if cell.contains(',') { format!("{whole}.{part}").parse().ok() } else { cell.parse().ok() }
}

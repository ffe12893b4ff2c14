//! Reading of tables: columns of numbers, texts and times.

mod arrow;
mod dialect;
mod doubt;
#[cfg(test)]
mod formats;
mod header;
mod infer;
mod input;
mod numbers;
mod pages;
mod parquet;
mod records;
#[cfg(test)]
mod tests;
mod text;
mod times;
mod typed;
mod unpacked;
mod words;

pub use doubt::{Doubt, doubt_of};
pub use infer::{TypeWish, Typed, infer};
pub use input::is_unicode;
pub use numbers::{Group, Notation};
pub use records::Blank;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::io::open_regular;
use crate::registry::guard_engine;
use crate::table::Storage;
use crate::{Error, Result};
use arrow::ArrowFile;
use dialect::Dialect;
use parquet::ParquetFile;

/// Presence of a header, a first line that holds the names of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// The first line is a header if none of its cells is a number, if one is no number and stands
    /// above numbers, or if its numbers are years in equal steps.
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
    /// Lines at the beginning of a text that are passed over.
    pub skip: usize,
    /// First character, in ASCII, of lines of a text that are passed over.
    pub comment: Option<u8>,
    /// Presence of a line of names.
    pub header: Header,
    /// Separator between cells, in ASCII; `None`: a tab, a semicolon, a comma or a bar, detected
    /// from the first lines.
    pub separator: Option<u8>,
    /// Name of the encoding in the WHATWG's list, such as `latin1`; `None`: UTF-8, or UTF-16 if the
    /// text begins with a byte order mark of that.
    pub encoding: Option<String>,
    /// Decimal sign, `.` or `,`; `None`: detected from the cells.
    pub decimal: Option<u8>,
    /// True if numbers may have signs between groups of three digits.
    pub groups: bool,
    /// True if whole numbers that begin with a zero, such as `007`, may be numbers where no type is
    /// wanted.
    pub padded: bool,
    /// Cells that stand for a missing value.
    pub markers: Markers,
    /// True if lines of separators alone are rows, all of whose cells are missing; else they are
    /// passed over.
    pub empty_rows: bool,
}

/// Cells that stand for a missing value, beside empty ones.
#[derive(Clone, Debug)]
pub struct Markers {
    texts: Vec<Vec<u8>>,
    /// True for each byte that one of them begins with.
    first: [bool; 256],
    /// Bytes of the longest one.
    longest: usize,
}

impl Markers {
    /// These texts.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let texts: Vec<Vec<u8>> =
            texts.into_iter().map(|text| text.as_ref().as_bytes().to_vec()).collect();
        let mut first = [false; 256];
        texts.iter().filter_map(|text| text.first()).for_each(|b| first[usize::from(*b)] = true);
        let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
        Self { texts, first, longest }
    }

    /// True if a cell is empty or one of the texts.
    #[inline]
    pub fn is_missing(&self, cell: &[u8]) -> bool {
        cell.first().is_none_or(|first| {
            self.first[usize::from(*first)]
                && cell.len() <= self.longest
                && self.texts.iter().any(|text| text == cell)
        })
    }
}

impl Default for Markers {
    /// Those that pandas and R write.
    fn default() -> Self {
        Self::new(MISSING_TEXTS)
    }
}

/// Texts of missing values that pandas and R write.
pub const MISSING_TEXTS: [&str; 11] =
    ["NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "null", "NULL", "None"];

/// Type of cells that is wanted of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The column is not read, and may hold anything.
    Nothing,
    /// Numbers, times or texts, by the cells.
    Any,
    /// Numbers or texts, by the cells.
    NumbersOrTexts,
    /// Numbers.
    Numbers,
    /// Texts.
    Texts,
    /// Times, in a format in the notation of `strftime`, or in a usual one.
    Times(Option<String>),
    /// The cells as they are: texts of a text file, values of a file with types, of which whole
    /// numbers beyond 2⁵³ are texts; however many different texts there are.
    Cells,
}

impl Wanted {
    /// Most different texts that are told apart.
    fn most_texts(&self) -> usize {
        if *self == Self::Cells { usize::MAX } else { MAX_TEXTS }
    }
}

/// Code of a missing text.
pub const MISSING: u32 = u32::MAX;

/// Most different texts of a column that are told apart, unless [`Wanted::Cells`] are.
pub const MAX_TEXTS: usize = 1_000_000;

/// Cells of a column, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Numbers, NaN where one is missing.
    Numbers {
        /// The numbers, finite where they are not missing.
        values: Vec<f64>,
        /// Most digits behind the decimal sign; `None`: more than 9, or some have an exponent.
        decimals: Option<u8>,
    },
    /// Times.
    Times {
        /// Seconds since 1970-01-01, UTC, NaN where one is missing; of times without a date, since
        /// midnight.
        values: Vec<f64>,
        /// Format of the cells, in the notation of `strftime`.
        format: String,
        /// False if day and month may be exchanged.
        certain: bool,
    },
    /// Texts.
    Texts {
        /// The text of each row, [`MISSING`] where it is missing.
        codes: Vec<u32>,
        /// The texts by code, in the order of occurrence.
        texts: Vec<String>,
    },
    /// More than [`MAX_TEXTS`] different texts.
    Many,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name; empty without one.
    pub name: String,
    /// Its cells.
    pub cells: Cells,
    /// Number of missing cells.
    pub missing: usize,
    /// Type in which the file holds the cells; of texts the offset of times from UTC.
    pub storage: Storage,
}

/// A table in a file, of which columns can be read.
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    format: Format,
    names: Option<Vec<String>>,
    width: usize,
    layout: Layout,
}

/// Format of a file, and what was found in it.
#[derive(Debug)]
enum Layout {
    Text(Box<Dialect>),
    Parquet(ParquetFile),
    Arrow(ArrowFile),
}

/// Columns that were read from a file.
#[derive(Debug)]
pub struct Table {
    /// Number of rows, at least one.
    pub rows: usize,
    /// Lines of a text that hold no value and were passed over.
    pub blank: Blank,
    /// One for each column of the file; `None` for those that were not wanted.
    pub columns: Vec<Option<Column>>,
}

impl TableFile {
    /// Opens a file and finds its columns.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read, its text is in another encoding, a name occurs
    /// twice, the first line may be a header or a row, or there is no row. [`Error::Config`]: there
    /// is no such encoding.
    pub fn open(path: &Path, format: &Format) -> Result<Self> {
        let layout = layout(path, format)?;
        let (width, names) = match &layout {
            Layout::Text(dialect) => {
                let width = dialect.width();
                (width, dialect.names_of(path, width)?)
            }
            Layout::Parquet(ParquetFile { names, .. }) | Layout::Arrow(ArrowFile { names, .. }) => {
                (names.len(), Some(names.clone()))
            }
        };
        Ok(Self { path: path.to_owned(), format: format.clone(), names, width, layout })
    }

    /// Reads every text as it is: none stands for a missing value.
    #[must_use]
    pub fn without_markers(mut self) -> Self {
        self.format.markers = Markers::new([""; 0]);
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the columns, empty for a column without one; `None` if the file has none.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Name of a column, which counts from 0; empty without one.
    pub fn name(&self, column: usize) -> &str {
        self.names().and_then(|names| names.get(column)).map_or("", String::as_str)
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// True if the file is a text, whose cells have no types.
    pub fn is_text(&self) -> bool {
        matches!(self.layout, Layout::Text(_))
    }

    /// The format in words, such as `text (UTF-8) separated by commas`.
    pub fn described(&self) -> String {
        match &self.layout {
            Layout::Text(dialect) => {
                let by = match dialect.separator {
                    b',' => "commas",
                    b';' => "semicolons",
                    b'\t' => "tabs",
                    _ => "bars",
                };
                format!("text ({}) separated by {by}", dialect.encoding)
            }
            Layout::Parquet(_) => "Parquet".to_owned(),
            Layout::Arrow(_) => "Arrow IPC".to_owned(),
        }
    }

    /// Decimal sign of the numbers of a column of text, in ASCII; `None` where none has one.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read.
    pub fn decimal_sign(&self, column: usize) -> Result<Option<u8>> {
        let Layout::Text(_) = &self.layout else { return Ok(None) };
        let sign = |cell: &str| cell.bytes().rev().find(|byte| matches!(byte, b'.' | b','));
        let found = self.find(column, false, &mut |cell| sign(cell).is_some())?;
        Ok(found.and_then(|(_, cell)| sign(&cell)))
    }

    /// True if a column holds lists, records or values of a type that is not read.
    pub fn is_unreadable(&self, column: usize) -> bool {
        match &self.layout {
            Layout::Text(_) => false,
            Layout::Parquet(file) => !file.is_readable(column),
            Layout::Arrow(file) => !file.is_readable(column),
        }
    }

    /// Name of a column for a message, such as "column `age`"; `column` counts from 0.
    pub fn called(&self, column: usize) -> String {
        text::called(self.names(), column)
    }

    /// Place of a row, counted from 0, for a message, such as "line 7".
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read.
    pub fn place(&self, row: usize) -> Result<String> {
        let Layout::Text(dialect) = &self.layout else {
            return Ok(format!("row {row} (counted from 0)"));
        };
        let mut records = text::open(&self.path, &self.format, dialect)?;
        for _ in 0..=row {
            records.advance()?;
        }
        Ok(format!("line {}", records.line()))
    }

    /// Reads columns; `wanted` has one entry for each column of the file.
    ///
    /// # Errors
    /// [`Error::Data`]: a cell has another type than is wanted or is an infinite number, rows have
    /// different numbers of cells, or there is no row.
    pub fn read(&self, wanted: &[Wanted]) -> Result<Table> {
        let Self { path, format, .. } = self;
        let typed = |(rows, columns)| (rows, Blank::default(), columns);
        let (rows, blank, columns) = match &self.layout {
            Layout::Text(dialect) => text::read(path, format, dialect, self.names(), wanted)?,
            Layout::Parquet(file) => {
                typed(guarded(path, || file.read(path, &format.markers, wanted))?)
            }
            Layout::Arrow(file) => {
                typed(guarded(path, || file.read(path, &format.markers, wanted))?)
            }
        };
        match rows {
            0 => Err(Error::data(path, "has no rows")),
            _ => Ok(Table { rows, blank, columns }),
        }
    }

    /// The first missing cell of a column, if that is looked for.
    fn find_gap(&self, column: usize, missing: bool) -> Result<Option<(String, String)>> {
        let mut wanted = vec![Wanted::Nothing; self.width];
        wanted[column] = Wanted::Any;
        let read = self.read(&wanted)?.columns.swap_remove(column);
        let row = read.filter(|_| missing).and_then(|column| match column.cells {
            Cells::Numbers { values, .. } | Cells::Times { values, .. } => {
                values.iter().position(|value| value.is_nan())
            }
            Cells::Texts { codes, .. } => codes.iter().position(|code| *code == MISSING),
            Cells::Many => None,
        });
        let place = |row| format!("row {row} (counted from 0): {}", self.called(column));
        Ok(row.map(|row| (place(row), String::new())))
    }

    /// The first cell of a column that `is` what is looked for, with its place for a message, such
    /// as "line 7: column `age`"; `is` gets the text and is not called for missing cells unless
    /// `missing`.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read.
    pub fn find(
        &self,
        column: usize,
        missing: bool,
        is: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Option<(String, String)>, Error> {
        let Layout::Text(dialect) = &self.layout else { return self.find_gap(column, missing) };
        let mut records = text::open(&self.path, &self.format, dialect)?;
        while records.advance()? {
            let cell = records.cell(column);
            let cell = String::from_utf8_lossy(cell);
            if self.format.markers.is_missing(cell.as_bytes()) == missing && is(&cell) {
                let place = format!("line {}: {}", records.line(), self.called(column));
                return Ok(Some((place, cell.into_owned())));
            }
        }
        Ok(None)
    }
}

/// Finds the format of a file by its first bytes, and its columns.
fn layout(path: &Path, format: &Format) -> Result<Layout> {
    let mut start = Vec::new();
    let read = open_regular(path)?.0.take(8).read_to_end(&mut start);
    read.map_err(|e| Error::data(path, format!("cannot be read: {e}")))?;
    Ok(match &start[..] {
        [b'P', b'A', b'R', b'1', ..] => Layout::Parquet(guarded(path, || ParquetFile::open(path))?),
        start if start.starts_with(arrow::MAGIC) => {
            Layout::Arrow(guarded(path, || ArrowFile::open(path, false))?)
        }
        [0xff, 0xff, 0xff, 0xff, ..] => {
            Layout::Arrow(guarded(path, || ArrowFile::open(path, true))?)
        }
        [b'F', b'E', b'A', b'1', ..] => {
            let message =
                "is a Feather file of version 1; write it as version 2, with pyarrow or R";
            return Err(Error::data(path, message));
        }
        start => match foreign(start) {
            Some(message) => return Err(Error::data(path, message)),
            None => Layout::Text(Box::new(Dialect::detect(path, format)?)),
        },
    })
}

/// Message about a file of another kind, by its first bytes.
fn foreign(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        [b'P', b'K', 3, 4, ..] => {
            "is a zip archive, as workbooks of Excel (.xlsx) and LibreOffice are; save the sheet \
             as CSV, or unpack the archive"
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "is a workbook of Excel (.xls); save the sheet as CSV",
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'B', b'Z', b'h', ..] => {
            "is packed by another method than gzip; unpack it, or pack it by gzip"
        }
        _ => return None,
    })
}

/// Runs code that reads a file; it may panic on a damaged one.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    guard_engine(read).map_err(|e| match e {
        Error::Runtime(message) => Error::data(path, format!("is damaged: {message}")),
        other => other,
    })
}

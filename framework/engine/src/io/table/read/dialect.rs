//! The dialect of a text table: its separator, the names of its columns, and their number.

use super::input::Input;
use super::numbers::Notation;
use super::records::{Records, counts};
use super::{Format, Header};
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// Number of first rows from which a separator is detected.
const ROWS_FOR_SEPARATOR: usize = 20;
/// Number of first rows from which a header and the types of columns are detected.
const SAMPLE: usize = 1000;

/// Dialect of a text table.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    /// Name of the encoding.
    pub encoding: &'static str,
    /// Separator between cells.
    pub separator: u8,
    /// One for each column, empty for a column without one; `None` without a header.
    pub names: Option<Vec<String>>,
    /// Number of cells of each row, with a last one that is empty in every line.
    pub cells: usize,
    /// Line of the first row or of the names.
    pub first_line: usize,
    /// Line whose number of cells the others must have.
    pub reference: usize,
    /// True if a last cell that is empty in every row is no column.
    pub nameless_end: bool,
    /// The first rows.
    pub sample: Vec<Vec<String>>,
}

impl Dialect {
    /// Detects the dialect of a text from its first rows.
    ///
    /// # Errors
    /// [`Error::Data`]: the file cannot be read, its text is in another encoding, a name occurs
    /// twice, the first line may be a header or a row, or there is no row. [`Error::Config`]: there
    /// is no such encoding.
    pub fn detect(path: &Path, format: &Format) -> Result<Self> {
        let input = Input::open(path, format.encoding.as_deref())?;
        let encoding = input.encoding();
        let separator = format.separator.unwrap_or_else(|| separator_of(&input));
        let mut records = Records::new(path, input, separator);
        let no_rows = || Error::data(path, "has no rows");
        if !records.advance()? {
            return Err(no_rows());
        }
        let (first, line) = (records.texts(), records.line());
        let (mut sample, mut second_line) = (Vec::new(), line);
        while sample.len() < SAMPLE && records.advance()? {
            if sample.is_empty() {
                second_line = records.line();
            }
            sample.push(records.texts());
        }
        let wrong = |what: String| Error::data(path, format!("line {line}: {what}"));
        let has_names = has_names(&first, &sample, format).map_err(wrong)?;
        let (mut cells, mut reference) = (first.len(), line);
        match sample.first() {
            None if has_names => return Err(no_rows()),
            Some(second) if has_names => {
                let n = second.len();
                if n == cells + 1 || n + 1 == cells && first[n].is_empty() {
                    (cells, reference) = (n, second_line);
                }
            }
            _ => sample.insert(0, first.clone()),
        }
        // A separator at the end of every line begins no further column.
        let names = has_names.then_some(first);
        let nameless_end = cells > 1
            && match &names {
                Some(names) if names.len() == cells => names[cells - 1].is_empty(),
                Some(names) => names.len() + 1 == cells,
                None => true,
            };
        let first_line = line;
        let dialect =
            Self { encoding, separator, names, cells, first_line, reference, nameless_end, sample };
        Ok(dialect)
    }

    /// Names of `width` columns; empty for a column without one.
    ///
    /// # Errors
    /// [`Error::Data`]: two columns have the same name.
    pub fn names_of(&self, path: &Path, width: usize) -> Result<Option<Vec<String>>> {
        let Some(mut names) = self.names.clone() else { return Ok(None) };
        if names.len() + 1 == width {
            // R writes names of rows in a first column that has no name itself.
            names.insert(0, String::new());
        }
        names.truncate(width);
        let mut seen = HashMap::new();
        for (i, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if let Some(other) = seen.insert(name, i) {
                let message =
                    format!("columns {other} and {i} (counted from 0) are both called `{name}`");
                return Err(Error::data(path, format!("line {}: {message}", self.first_line)));
            }
        }
        Ok(Some(names))
    }

    /// Number of columns: that of the cells, without a last one that is empty in every sampled row.
    pub fn width(&self) -> usize {
        let ends_empty =
            || self.sample.iter().all(|row| row.get(self.cells - 1).is_none_or(String::is_empty));
        if self.nameless_end && ends_empty() { self.cells - 1 } else { self.cells }
    }
}

/// True if the first line holds names; otherwise it is a row.
fn has_names(first: &[String], rows: &[Vec<String>], format: &Format) -> Result<bool, String> {
    match format.header {
        Header::Present => return Ok(true),
        Header::Absent => return Ok(false),
        Header::Detect => {}
    }
    let notations = Notation::all(None, b';').into_iter().filter(|n| n.group.is_none());
    let notations: Vec<_> = notations.map(|n| Notation { padded: true, ..n }).collect();
    let is_number = |cell: &str| notations.iter().any(|n| n.read(cell.as_bytes()).is_some());
    let is_missing = |cell: &str| format.markers.is_missing(cell.as_bytes());
    let full = || first.iter().enumerate().filter(|(_, cell)| !is_missing(cell));
    let words: Vec<_> = full().filter(|(_, cell)| !is_number(cell)).collect();
    // An empty cell beside words is a name left out, beside numbers a number left out.
    if words.is_empty() || words.len() == full().count() {
        return Ok(!words.is_empty());
    }
    // Words above numbers are names; words above words, and numbers above numbers, are cells.
    let below = |i: usize| {
        let cells = rows.iter().filter_map(move |row| row.get(i));
        cells.filter(|cell| !is_missing(cell)).map(|cell| is_number(cell))
    };
    if words.iter().any(|(i, _)| below(*i).next().is_some() && below(*i).all(|number| number)) {
        return Ok(true);
    }
    let continues = |(i, cell): (usize, &String)| {
        below(i).count() > 1 && below(i).all(|number| number == is_number(cell))
    };
    if full().all(continues) {
        return Ok(false);
    }
    let example = words.first().map_or("", |(_, cell)| cell);
    Err(format!(
        "some cells are numbers and some are not (`{example}`), so it may be names or a row: \
         say which with data.header=present or absent"
    ))
}

/// Detects the separator of a text: the first of tab, semicolon, comma and bar that divides its
/// first rows into equally many cells; the first row may have one more or fewer.
fn separator_of(input: &Input<'_>) -> u8 {
    let counts = |separator: u8| -> Vec<usize> {
        counts(input.text(), separator, input.ended(), ROWS_FOR_SEPARATOR)
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

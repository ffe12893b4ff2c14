//! The dialect of a text table: its separator, the names of its columns, and their number.

use super::Format;
use super::input::Input;
use super::records::{Records, counts};
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// Number of first rows from which a separator is detected.
const ROWS_FOR_SEPARATOR: usize = 20;
/// Number of first rows from which a header and the types of columns are detected.
const SAMPLE: usize = 1000;
/// Cells of these rows, at most; more than one row is taken.
const SAMPLE_CELLS: usize = 400_000;

/// Separators that are detected, the first one first.
const KNOWN: [u8; 4] = [b'\t', b';', b',', b'|'];

/// Dialect of a text table.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    /// Name of the encoding.
    pub encoding: &'static str,
    /// Separator between cells.
    pub separator: u8,
    /// Lines before the first row or the names, blank ones and comments not counted.
    pub skipped: usize,
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
    /// twice, the first line may be a header or a row, lines stand above the names, or there is no
    /// row. [`Error::Config`]: there is no such encoding.
    pub fn detect(path: &Path, format: &Format) -> Result<Self> {
        let input = Input::open(path, format.encoding.as_deref())?;
        let encoding = input.encoding();
        let mut records = Records::new(path, input, b',', format.comment);
        records.skip(format.skip)?;
        let hint = separator_hint(records.rest().0);
        let skipped = format.skip + usize::from(hint.is_some());
        records.skip(skipped - format.skip)?;
        let detected = || separator_of(records.rest(), format.comment);
        let separator = format.separator.or(hint).unwrap_or_else(detected);
        records.separator = separator;
        let no_rows = || Error::data(path, "has no rows");
        if !records.advance()? {
            return Err(no_rows());
        }
        let (first, line) = (records.texts(), records.line());
        let (mut sample, mut lines) = (Vec::new(), Vec::new());
        let most = SAMPLE.min(SAMPLE_CELLS / first.len().max(1)).max(2);
        while sample.len() < most && records.advance()? {
            lines.push(records.line());
            sample.push(records.texts());
        }
        let second_line = lines.first().copied().unwrap_or(line);
        let wrong = |what: String| Error::data(path, format!("line {line}: {what}"));
        super::header::check_first(&first, &sample, &lines, format).map_err(wrong)?;
        let has_names = super::header::has_names(&first, &sample, format).map_err(wrong)?;
        if !has_names && super::header::may_be_names(&first, &sample, format) {
            log::warn!(
                "{}: line {line} is read as a row, not as names of columns; say which it is with \
                 data.header=absent or present",
                path.display()
            );
        }
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
        Ok(Self {
            encoding,
            separator,
            skipped,
            names,
            cells,
            first_line,
            reference,
            nameless_end,
            sample,
        })
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

/// Separator that a first line `sep=;` names, as Excel reads and writes it.
fn separator_hint(text: &[u8]) -> Option<u8> {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let line = line.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(line);
    let (key, sign) = line.split_at_checked(4)?;
    match sign {
        [sign] if key.eq_ignore_ascii_case(b"sep=") && KNOWN.contains(sign) => Some(*sign),
        _ => None,
    }
}

/// Detects the separator of a text: the first of tab, semicolon, comma and bar that divides its
/// first rows into equally many cells; the first row may have one more or fewer.
fn separator_of(rest: (&[u8], bool), comment: Option<u8>) -> u8 {
    let counts =
        |separator: u8| -> Vec<usize> { counts(rest, separator, comment, ROWS_FOR_SEPARATOR) };
    let known = KNOWN;
    let divides = |separator: &u8| {
        let counts = counts(*separator);
        let Some((first, rest)) = counts.split_first() else { return false };
        let Some(row) = rest.first() else { return *first > 1 };
        *first > 1 && *row > 1 && first.abs_diff(*row) < 2 && rest.iter().all(|n| n == row)
    };
    let most = |separator: &u8| counts(*separator).first().copied().unwrap_or_default();
    // Lines above the names have other numbers of cells.
    let divides_last = |separator: &u8| {
        let counts = counts(*separator);
        let last = &counts[counts.len() - counts.len() / 2..];
        last.len() > 1 && last[0] > 1 && last.iter().all(|n| *n == last[0])
    };
    let detected = known.into_iter().find(|separator| divides(separator));
    detected.or_else(|| known.into_iter().find(divides_last)).unwrap_or_else(|| {
        let most = known.into_iter().max_by_key(most).filter(|separator| most(separator) > 1);
        most.unwrap_or(b',')
    })
}

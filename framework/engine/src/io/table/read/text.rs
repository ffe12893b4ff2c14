//! Columns of a text table, of which each is read as the first type that all of its cells have.

use super::dialect::Dialect;
use super::input::Input;
use super::numbers::Notation;
use super::records::{Blank, Records};
use super::times::TimeFormat;
use super::words::Words;
use super::{Cells, Column, Format, MISSING, Wanted};
use crate::table::Storage;
use crate::{Error, Result};
use std::path::Path;
use std::rc::Rc;

/// A type that the cells of a column may have.
#[derive(Clone, Debug)]
enum Guess {
    Number(Notation),
    Time(TimeFormat),
    Text,
}

impl Guess {
    fn fits(&self, cell: &[u8]) -> bool {
        match self {
            Guess::Number(notation) => notation.read(cell).is_some(),
            Guess::Time(format) => format.read(cell).is_some(),
            Guess::Text => true,
        }
    }
}

/// Types that may fit all cells of a column.
#[derive(Clone)]
struct Guesses {
    /// The types of all columns of which the same is wanted.
    known: Rc<[Guess]>,
    /// Those of them that fit, by number.
    left: Vec<u8>,
}

impl Guesses {
    fn iter(&self) -> impl Iterator<Item = &Guess> {
        self.left.iter().map(|i| &self.known[usize::from(*i)])
    }

    fn first(&self) -> Option<&Guess> {
        self.iter().next()
    }

    fn retain(&mut self, fits: impl Fn(&Guess) -> bool) {
        self.left.retain(|i| fits(&self.known[usize::from(*i)]));
    }
}

/// A column that is read.
struct Reader {
    column: usize,
    wanted: Wanted,
    most_texts: usize,
    /// Types that fit all cells so far; the first is read.
    guesses: Guesses,
    cells: Partial,
    missing: usize,
    /// True if the first guess failed, so that the column is to be read again.
    failed: bool,
}

/// The cells of a column so far.
enum Partial {
    Numbers {
        values: Vec<f64>,
        decimals: Option<u8>,
    },
    Times {
        values: Vec<f64>,
        certain: bool,
        /// Offset of the first time from UTC in seconds, in which all are written.
        offset: Option<i32>,
    },
    Texts {
        codes: Vec<u32>,
        words: Words,
    },
    /// Too many different texts.
    Many,
}

impl Reader {
    fn new(column: usize, wanted: Wanted, guesses: Guesses) -> Self {
        let (most_texts, cells) = (wanted.most_texts(), Partial::Many);
        Self { column, wanted, most_texts, guesses, cells, missing: 0, failed: true }
    }

    /// Prepares the reader for the first cell.
    fn restart(&mut self) {
        self.cells = match self.guesses.first() {
            Some(Guess::Number(_)) => Partial::Numbers { values: Vec::new(), decimals: Some(0) },
            Some(Guess::Time(_)) => {
                Partial::Times { values: Vec::new(), certain: false, offset: None }
            }
            _ => Partial::Texts { codes: Vec::new(), words: Words::default() },
        };
        (self.missing, self.failed) = (0, false);
    }

    fn push_missing(&mut self) {
        self.missing += 1;
        match &mut self.cells {
            Partial::Numbers { values, .. } | Partial::Times { values, .. } => {
                values.push(f64::NAN);
            }
            Partial::Texts { codes, .. } => codes.push(MISSING),
            Partial::Many => {}
        }
    }

    /// Adds a cell; an error is what is wrong with it.
    #[inline]
    fn push(&mut self, cell: &[u8]) -> Result<(), String> {
        match (&mut self.cells, self.guesses.first()) {
            (Partial::Numbers { values, decimals }, Some(Guess::Number(notation))) => {
                if let Some(number) = notation.read(cell) {
                    if !number.value.is_finite() {
                        let cell = String::from_utf8_lossy(cell);
                        return Err(format!(
                            "`{cell}` is not finite; fix it, or name it in data.markers if it \
                             stands for a missing value"
                        ));
                    }
                    *decimals = most(*decimals, number.decimals);
                    values.push(number.value);
                    return Ok(());
                }
            }
            (Partial::Times { values, certain, offset }, Some(Guess::Time(format))) => {
                if let Some(time) = format.read(cell) {
                    *certain |= time.certain;
                    offset.get_or_insert(time.offset);
                    values.push(time.seconds);
                    return Ok(());
                }
            }
            (Partial::Texts { codes, words }, _) => {
                codes.push(words.code(cell));
                if words.len() > self.most_texts {
                    self.cells = Partial::Many;
                }
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.fail(cell)
    }

    /// Leaves the guesses that `cell` does not fit out.
    #[cold]
    fn fail(&mut self, cell: &[u8]) -> Result<(), String> {
        self.guesses.retain(|guess| guess.fits(cell));
        self.failed = true;
        // What was read so far is of no use.
        self.cells = Partial::Many;
        if self.guesses.first().is_some() {
            return Ok(());
        }
        let cell = String::from_utf8_lossy(cell);
        Err(match &self.wanted {
            Wanted::Times(Some(format)) => format!("`{cell}` is no time in the format {format}"),
            Wanted::Times(None) => {
                format!("`{cell}` is no time in a usual format, such as 2001-12-31 or 31.12.2001")
            }
            _ => not_a_number(&cell),
        })
    }

    fn finish(self, name: String) -> Column {
        let storage = match &self.cells {
            Partial::Times { offset: Some(offset), .. } => Storage::at_offset(*offset),
            _ => Storage::Plain,
        };
        let cells = match (self.cells, self.guesses.first()) {
            (Partial::Numbers { values, decimals }, _) => {
                Cells::Numbers { values, decimals: decimals.filter(|digits| *digits < 10) }
            }
            (Partial::Times { values, certain, .. }, Some(Guess::Time(format))) => {
                Cells::Times { values, format: format.text.clone(), certain }
            }
            (Partial::Texts { codes, words }, _) => {
                Cells::Texts { codes, texts: words.into_texts() }
            }
            _ => Cells::Many,
        };
        Column { name, cells, missing: self.missing, storage }
    }
}

/// The larger of two numbers of digits.
#[inline]
fn most(a: Option<u8>, b: Option<u8>) -> Option<u8> {
    match (a, b) {
        (Some(a), Some(b)) if a >= b => Some(a),
        (Some(_), Some(b)) => Some(b),
        _ => None,
    }
}

/// Message about a cell of a column of numbers that is none.
fn not_a_number(cell: &str) -> String {
    let reads = |decimal| {
        let notation = Notation { decimal, group: None, padded: true };
        notation.read(cell.as_bytes()).is_some()
    };
    let advice = match (reads(b'.'), reads(b',')) {
        (false, true) => "; for decimal commas, set data.decimal=comma",
        (true, false) => "; for decimal points, set data.decimal=point",
        _ => "",
    };
    format!("`{cell}` is not a number{advice}")
}

/// Reads the wanted columns of a text, in as many passes as their types need. Returns the number of
/// rows as well.
pub(super) fn read(
    path: &Path,
    format: &Format,
    dialect: &Dialect,
    names: Option<&[String]>,
    wanted: &[Wanted],
) -> Result<(usize, Blank, Vec<Option<Column>>)> {
    let mut known: Vec<(&Wanted, Rc<[Guess]>)> = Vec::new();
    let mut types_of = |wanted| match known.iter().find(|(other, _)| *other == wanted) {
        Some((_, types)) => Rc::clone(types),
        None => {
            let types = types(wanted, format, dialect);
            known.push((wanted, Rc::clone(&types)));
            types
        }
    };
    let of = |(column, wanted)| (column, guesses(column, types_of(wanted), format, dialect));
    let read = wanted.iter().enumerate().filter(|(_, wanted)| **wanted != Wanted::Nothing);
    let mut guesses: Vec<(usize, Guesses)> = read.map(of).collect();
    settle_decimal(&mut guesses, dialect.separator);
    let mut readers: Vec<Reader> = guesses
        .into_iter()
        .map(|(column, guesses)| Reader::new(column, wanted[column].clone(), guesses))
        .collect();
    let mut rows = None;
    while rows.is_none() || readers.iter().any(|reader| reader.failed) {
        let mut again: Vec<&mut Reader> = readers.iter_mut().filter(|r| r.failed).collect();
        again.iter_mut().for_each(|reader| reader.restart());
        let is_first = rows.is_none();
        let (read, blank) = pass(path, format, dialect, names, &mut again)?;
        if is_first && blank.count > 0 {
            let (path, Blank { count, first }) = (path.display(), blank);
            log::info!(
                "{path}: {count} lines hold no value and are passed over, first line {first}"
            );
        }
        rows = Some((read, blank));
    }
    let mut columns: Vec<Option<Column>> = wanted.iter().map(|_| None).collect();
    for reader in readers {
        let column = reader.column;
        let name = names.and_then(|names| names.get(column)).cloned().unwrap_or_default();
        columns[column] = Some(reader.finish(name));
    }
    let (rows, blank) = rows.unwrap_or_default();
    Ok((rows, blank, columns))
}

/// One pass over all rows; returns their number, and the lines without a value.
fn pass(
    path: &Path,
    format: &Format,
    dialect: &Dialect,
    names: Option<&[String]>,
    readers: &mut [&mut Reader],
) -> Result<(usize, Blank)> {
    let mut records = open(path, format, dialect)?;
    let (mut rows, width) = (0, dialect.width());
    let wrong = |line, what: String| Error::data(path, format!("line {line}: {what}"));
    while records.advance()? {
        let n = records.len();
        if n != dialect.cells {
            let Dialect { cells, reference, .. } = dialect;
            let advice = match records.cell(0).starts_with(b"#") {
                true => "; if it is a comment, set data.comment='#'",
                false => "",
            };
            let message = format!("{n} cells, but line {reference} has {cells}{advice}");
            return Err(wrong(records.line(), message));
        }
        if width < n && !records.cell(width).is_empty() {
            let message =
                format!("{n} cells, but the last cell of the first rows is empty and has no name");
            return Err(wrong(records.line(), message));
        }
        for reader in readers.iter_mut().filter(|reader| !reader.failed) {
            let cell = records.cell(reader.column);
            if format.markers.is_missing(cell) {
                reader.push_missing();
                continue;
            }
            reader.push(cell).map_err(|what| {
                wrong(records.line(), format!("{}: {what}", called(names, reader.column)))
            })?;
        }
        rows += 1;
    }
    Ok((rows, records.blank()))
}

/// The rows of a text, without its line of names.
pub(super) fn open<'p>(path: &'p Path, format: &Format, dialect: &Dialect) -> Result<Records<'p>> {
    let input = Input::open(path, format.encoding.as_deref())?;
    let mut records = Records::new(path, input, dialect.separator, format.comment);
    records.skip(dialect.skipped)?;
    if dialect.names.is_some() {
        records.pass_names()?;
    }
    records.empty_rows = format.empty_rows;
    Ok(records)
}

/// The types that a column may have by what is wanted of it.
fn types(wanted: &Wanted, format: &Format, dialect: &Dialect) -> Rc<[Guess]> {
    let numbers = |padded| {
        let all = Notation::all(format.decimal, dialect.separator).into_iter();
        let all = all.filter(|notation| format.groups || notation.group.is_none());
        all.map(move |notation| Guess::Number(Notation { padded, ..notation }))
    };
    let times = || TimeFormat::all().into_iter().map(Guess::Time);
    match wanted {
        Wanted::Nothing => Rc::new([]),
        Wanted::Any => numbers(format.padded).chain(times()).chain([Guess::Text]).collect(),
        Wanted::NumbersOrTexts => numbers(true).chain([Guess::Text]).collect(),
        Wanted::Numbers => numbers(true).collect(),
        Wanted::Texts | Wanted::Cells => Rc::new([Guess::Text]),
        Wanted::Times(None) => times().collect(),
        Wanted::Times(Some(format)) => Rc::new([Guess::Time(TimeFormat::new(format))]),
    }
}

/// Those of the types that a column may have by the first rows.
fn guesses(column: usize, known: Rc<[Guess]>, format: &Format, dialect: &Dialect) -> Guesses {
    let mut guesses = Guesses { left: (0..known.len() as u8).collect(), known };
    let cells = dialect.sample.iter().filter_map(|row| row.get(column));
    for cell in cells.filter(|cell| !format.markers.is_missing(cell.as_bytes())) {
        let fits = |guess: &Guess| guess.fits(cell.as_bytes());
        // A guess is left until its reading names the line.
        if !guesses.iter().any(fits) {
            break;
        }
        guesses.retain(fits);
    }
    guesses
}

/// Where a column's numbers have decimal commas and no column's have points, commas are decimal
/// signs and points stand between groups in the other columns too.
fn settle_decimal(columns: &mut [(usize, Guesses)], separator: u8) {
    let sign = |guess: &Guess| match guess {
        Guess::Number(notation) => Some(notation.decimal),
        _ => None,
    };
    let only = |guesses: &Guesses| {
        let mut signs = guesses.iter().filter_map(sign);
        let first = signs.next()?;
        signs.all(|other| other == first).then_some(first)
    };
    let signs: Vec<u8> = columns.iter().filter_map(|(_, guesses)| only(guesses)).collect();
    if separator != b',' && signs.contains(&b',') && !signs.contains(&b'.') {
        for (_, guesses) in columns.iter_mut() {
            let comma = guesses.iter().any(|guess| sign(guess) == Some(b','));
            guesses.retain(|guess| !comma || sign(guess) != Some(b'.'));
        }
    }
}

/// Name of a column for a message, such as "column `age`".
pub(super) fn called(names: Option<&[String]>, column: usize) -> String {
    match names.and_then(|names| names.get(column)).map(String::as_str) {
        None | Some("") => format!("column {column} (counted from 0)"),
        Some(name) => format!("column `{name}`"),
    }
}

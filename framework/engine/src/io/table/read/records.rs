//! Rows of a text table: lines of cells, which may be in quotes.

use super::input::Input;
use crate::{Error, Result};
use std::path::Path;

/// Bytes of the longest row.
const LONGEST: usize = 64 << 20;

/// Most cells of a row.
const MOST_CELLS: usize = 100_000;

/// Place of a cell in the text.
#[derive(Clone, Copy, Debug)]
struct Place {
    from: usize,
    to: usize,
    quoted: bool,
}

/// Rows of a text, one after another. Blank lines and comments are passed over, and so are spaces
/// around cells. A line is blank if no cell holds anything, not even quotes.
pub(super) struct Records<'p> {
    path: &'p Path,
    input: Input<'p>,
    /// Separator between cells.
    pub separator: u8,
    /// True if lines of separators alone are rows.
    pub empty_rows: bool,
    /// First byte of lines that are comments.
    comment: Option<u8>,
    /// Cells of the current row.
    cells: Vec<Place>,
    /// Start of the next row in the window.
    next: usize,
    /// Line of the current row, from 1.
    line: usize,
    /// Line of the next row.
    next_line: usize,
    /// Lines without a value so far, those behind the last row only if they have separators.
    blank: Blank,
    /// Blank lines since the last row.
    pending: Blank,
}

/// Lines without a value, which are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blank {
    /// Number of them.
    pub count: usize,
    /// The first one, from 1; 0 without one.
    pub first: usize,
}

impl Blank {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        if self.first == 0 {
            self.first = other.first;
        }
    }
}

/// A row that was found in a text.
struct Found {
    /// Start of the row behind it.
    next: usize,
    /// Ends of lines in the row.
    lines: usize,
    /// True if a cell has quotes that are to be removed from within.
    escaped: bool,
}

impl<'p> Records<'p> {
    pub fn new(path: &'p Path, input: Input<'p>, separator: u8, comment: Option<u8>) -> Self {
        Self {
            path,
            input,
            separator,
            empty_rows: false,
            comment,
            cells: Vec::with_capacity(64),
            next: 0,
            line: 1,
            next_line: 1,
            blank: Blank::default(),
            pending: Blank::default(),
        }
    }

    /// Text in memory behind the current row, and `true` if it ends where the whole text does.
    pub fn rest(&self) -> (&[u8], bool) {
        (&self.input.text()[self.next..], self.input.ended())
    }

    /// Passes over `count` lines.
    ///
    /// # Errors
    /// [`Error::Data`]: the text cannot be read, or a line is too long.
    pub fn skip(&mut self, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.pass_line())
    }

    fn pass_line(&mut self) -> Result<()> {
        loop {
            let (rest, ended) = self.rest();
            let end = memchr::memchr2(b'\n', b'\r', rest);
            let length = match end.map(|at| (at, &rest[at..])) {
                Some((at, [b'\r', b'\n', ..])) => Some(at + 2),
                Some((_, [b'\r'])) if !ended => None,
                Some((at, _)) => Some(at + 1),
                None if ended => Some(rest.len()),
                None => None,
            };
            if let Some(length) = length {
                self.next += length;
                self.next_line += 1;
                return Ok(());
            }
            if rest.len() > LONGEST {
                let message = format!("line {} is too long", self.next_line);
                return Err(Error::data(self.path, message));
            }
            self.input.advance(self.next)?;
            self.next = 0;
        }
    }

    /// Moves to the next row that is neither blank nor a comment; false at the end.
    ///
    /// # Errors
    /// [`Error::Data`]: the text cannot be read, or a quote is not closed.
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            let (text, ended) = (self.input.text(), self.input.ended());
            if self.next == text.len() && ended {
                return Ok(false);
            }
            if self.comment.is_some() && text.get(self.next).copied() == self.comment {
                self.pass_line()?;
                continue;
            }
            let found = scan(text, self.next, self.separator, ended, &mut self.cells);
            let Some(found) = found else {
                if self.cells.len() == MOST_CELLS {
                    let line = self.next_line;
                    let message = format!("line {line} has more than {MOST_CELLS} cells");
                    return Err(Error::data(self.path, message));
                }
                if ended || text.len() - self.next > LONGEST {
                    let message = format!("line {}: a quote is not closed", self.next_line);
                    return Err(Error::data(self.path, message));
                }
                self.input.advance(self.next)?;
                self.next = 0;
                continue;
            };
            self.next = found.next;
            self.line = self.next_line;
            self.next_line += found.lines;
            let is_row = self.empty_rows && self.cells.len() > 1;
            if is_blank(&self.cells) && !is_row {
                self.pending.add(Blank { count: 1, first: self.line });
                if self.cells.len() > 1 {
                    self.count_pending();
                }
                continue;
            }
            self.count_pending();
            if found.escaped {
                let text = self.input.text_mut();
                self.cells.iter_mut().filter(|cell| cell.quoted).for_each(|c| unescape(text, c));
            }
            return Ok(true);
        }
    }

    fn count_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.blank.add(pending);
    }

    /// Passes over the names of the columns, and blank lines above them.
    ///
    /// # Errors
    /// Those of [`advance`](Self::advance).
    pub fn pass_names(&mut self) -> Result<()> {
        self.advance()?;
        self.blank = Blank::default();
        Ok(())
    }

    /// Number of cells in the row.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Lines without a value before the row.
    pub fn blank(&self) -> Blank {
        self.blank
    }

    /// Line of the row, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Text of a cell, without its quotes; empty for one that the row lacks.
    #[inline]
    pub fn cell(&self, column: usize) -> &[u8] {
        self.cells.get(column).map_or(&[], |cell| &self.input.text()[cell.from..cell.to])
    }

    /// The cells as texts.
    pub fn texts(&self) -> Vec<String> {
        (0..self.len()).map(|i| String::from_utf8_lossy(self.cell(i)).into_owned()).collect()
    }
}

/// True if no cell of a line holds anything.
#[inline]
fn is_blank(cells: &[Place]) -> bool {
    cells.iter().all(|cell| !cell.quoted && cell.from == cell.to)
}

/// Numbers of cells in each of the first rows of a text that is cut anywhere; lines that begin with
/// `comment` are none.
pub(super) fn counts(
    (text, ended): (&[u8], bool),
    separator: u8,
    comment: Option<u8>,
    rows: usize,
) -> Vec<usize> {
    let (mut cells, mut counts, mut from) = (Vec::new(), Vec::new(), 0);
    while counts.len() < rows && from < text.len() {
        if comment == Some(text[from]) {
            let end = memchr::memchr2(b'\n', b'\r', &text[from..]);
            from += end.map_or(text.len(), |at| at + 1);
            continue;
        }
        let Some(found) = scan(text, from, separator, ended, &mut cells) else { break };
        from = found.next;
        if !is_blank(&cells) {
            counts.push(cells.len());
        }
    }
    counts
}

/// Finds the cells of the row at `from`; `None` if its end is not in the text, which goes on unless
/// it `ended`, or if it has more than [`MOST_CELLS`].
fn scan(
    text: &[u8],
    from: usize,
    separator: u8,
    ended: bool,
    cells: &mut Vec<Place>,
) -> Option<Found> {
    cells.clear();
    let (mut at, mut lines, mut escaped) = (from, 0, false);
    let is_space = |byte: u8| (byte == b' ' || byte == b'\t') && byte != separator;
    loop {
        if cells.len() == MOST_CELLS {
            return None;
        }
        let mut start = at;
        while text.get(start).is_some_and(|byte| is_space(*byte)) {
            start += 1;
        }
        let quoted = text.get(start) == Some(&b'"');
        let mut end = start;
        if quoted {
            let close = closing_quote(text, start + 1)?;
            if close + 1 == text.len() && !ended {
                return None;
            }
            let inside = &text[start + 1..close];
            lines += inside.iter().filter(|byte| **byte == b'\n').count();
            end = close + 1;
            start += 1;
        }
        let close = end;
        end = end_of_cell(text, end, separator);
        // The end may belong to a line end of two bytes.
        if !ended && (end == text.len() || text[end] == b'\r' && end + 1 == text.len()) {
            return None;
        }
        let mut place = Place { from: start, to: end, quoted };
        if quoted {
            let odd = text[close..end].iter().any(|byte| !is_space(*byte));
            place.to = if odd { end } else { close - 1 };
            escaped |= odd || memchr::memchr(b'"', &text[start..close - 1]).is_some();
        }
        trim(text, &mut place, is_space);
        cells.push(place);
        match text.get(end) {
            Some(byte) if *byte == separator => at = end + 1,
            Some(b'\r') if text.get(end + 1) == Some(&b'\n') => {
                return Some(Found { next: end + 2, lines: lines + 1, escaped });
            }
            Some(b'\n') => return Some(Found { next: end + 1, lines: lines + 1, escaped }),
            Some(_) => return Some(Found { next: end + 1, lines, escaped }),
            None => return Some(Found { next: end, lines, escaped }),
        }
    }
}

/// Place of the first separator or line end from `at`, eight bytes at a time.
#[inline]
fn end_of_cell(text: &[u8], mut at: usize, separator: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LINE: u64 = ONES * b'\n' as u64;
    const RETURN: u64 = ONES * b'\r' as u64;
    let separators = ONES.wrapping_mul(u64::from(separator));
    while let Some(eight) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*eight);
        let (a, b, c) = (word ^ separators, word ^ LINE, word ^ RETURN);
        // The lowest bit that is set marks the first byte that is zero in one of them.
        let found =
            a.wrapping_sub(ONES) & !a | b.wrapping_sub(ONES) & !b | c.wrapping_sub(ONES) & !c;
        let found = found & (ONES << 7);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_end = |byte: &u8| *byte == separator || *byte == b'\n' || *byte == b'\r';
    at + text[at..].iter().position(is_end).unwrap_or(text.len() - at)
}

/// Place of the quote that closes a cell whose text begins at `from`.
fn closing_quote(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let quote = from + memchr::memchr(b'"', text.get(from..)?)?;
        if text.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

/// Leaves spaces at both ends of a cell out.
#[inline]
fn trim(text: &[u8], place: &mut Place, is_space: impl Fn(u8) -> bool) {
    while place.from < place.to && is_space(text[place.to - 1]) {
        place.to -= 1;
    }
    while place.from < place.to && is_space(text[place.from]) {
        place.from += 1;
    }
    let cell = &text[place.from..place.to];
    if let ([first, ..], [.., last]) = (cell, cell)
        && (first | last) & 0x80 != 0
    {
        trim_unicode(text, place);
    }
}

#[cold]
fn trim_unicode(text: &[u8], place: &mut Place) {
    if let Ok(cell) = std::str::from_utf8(&text[place.from..place.to]) {
        place.from += cell.len() - cell.trim_start().len();
        place.to = place.from + cell.trim().len();
    }
}

/// Removes the quotes within a cell: the first of two, and one that text follows.
fn unescape(text: &mut [u8], place: &mut Place) {
    let (mut to, mut at) = (place.from, place.from);
    while at < place.to {
        if text[at] == b'"' {
            at += 1;
            if at == place.to || text[at] != b'"' {
                continue;
            }
        }
        text[to] = text[at];
        (to, at) = (to + 1, at + 1);
    }
    place.to = to;
}

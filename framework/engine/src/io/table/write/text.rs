use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{Error as IoError, Result, Write};

use super::Cells;
use super::typed::EXACT;
use crate::table::{TableColumn, TableRows};

/// Writes lines of cells, the first one with the names of the columns.
pub(super) fn write_text(
    rows: TableRows<'_>,
    cells: &[Cells<'_>],
    separator: u8,
    file: impl Write,
) -> Result<()> {
    let file = RefCell::new(file);
    let mut lines = Lines::new(rows.columns, cells, separator, &file)?;
    lines.write(rows.values)?;
    lines.end()
}

/// The lines of a text table, in the order in which they are written.
pub(super) struct Lines<'f, W: Write> {
    cells: &'f [Cells<'f>],
    separator: u8,
    file: &'f RefCell<W>,
    writer: csv::Writer<Shared<'f, W>>,
}

impl<'f, W: Write> Lines<'f, W> {
    /// Writes the names of the columns.
    pub fn new(
        columns: &[TableColumn],
        cells: &'f [Cells<'f>],
        separator: u8,
        file: &'f RefCell<W>,
    ) -> Result<Self> {
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Shared(file));
        writer.write_record(columns.iter().map(|column| &column.name))?;
        Ok(Self { cells, separator, file, writer })
    }

    /// Writes rows, cell by cell.
    pub fn write(&mut self, values: &[f64]) -> Result<()> {
        let mut text = String::new();
        for row in values.chunks_exact(self.cells.len().max(1)) {
            if row.len() > 1 && row.iter().all(|value| value.is_nan()) {
                // A line of separators alone is read as a blank one.
                self.writer.flush()?;
                let separators = vec![self.separator; row.len() - 1];
                self.file.borrow_mut().write_all(&[b"\"\"", &separators[..], b"\n"].concat())?;
                continue;
            }
            for (cells, value) in self.cells.iter().zip(row) {
                text.clear();
                cells.write(*value, &mut text).map_err(IoError::other)?;
                self.writer.write_field(&text)?;
            }
            self.writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn end(mut self) -> Result<()> {
        self.writer.flush()
    }
}

/// A file that is written to in two ways.
pub(super) struct Shared<'f, W>(&'f RefCell<W>);

impl<W: Write> Write for Shared<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.borrow_mut().flush()
    }
}

impl Cells<'_> {
    /// Writes a cell as text; nothing for a missing one.
    pub(super) fn write(&self, value: f64, text: &mut String) -> std::fmt::Result {
        if value.is_nan() {
            return Ok(());
        }
        match self {
            Self::Number(Some(decimals)) => fixed(value, usize::from(*decimals), text)?,
            Self::Number(None) => write_number(value, text)?,
            Self::Name(_) => text.push_str(self.name(value).unwrap_or_default()),
            Self::Time(format) => format.write(value, text)?,
        }
        Ok(())
    }
}

/// Writes a number with `decimals` digits behind the point, or as short as possible if it is so
/// large that these digits mean nothing.
fn fixed(value: f64, decimals: usize, text: &mut String) -> std::fmt::Result {
    if value.abs() > EXACT {
        return write_number(value, text);
    }
    if decimals == 0 {
        return write!(text, "{}", value.round_ties_even() as i64);
    }
    write!(text, "{value:.decimals$}")?;
    if value <= 0.0 && text.bytes().all(|digit| matches!(digit, b'-' | b'0' | b'.')) {
        *text = text.replace('-', "");
    }
    Ok(())
}

/// Writes a number: whole ones without a point, very large and very small ones with an exponent.
fn write_number(value: f64, text: &mut String) -> std::fmt::Result {
    if value.fract() == 0.0 && value.abs() < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        write!(text, "{value:.0}")
    } else {
        write!(text, "{value:?}")
    }
}

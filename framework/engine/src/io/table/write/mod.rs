//! Writing of tables.

mod arrow;
mod parquet;
mod stored;
mod text;
mod typed;

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::format::{ENDINGS, Format};
use super::time::TimeFormat;
use crate::io::atomic::write_made;
use crate::io::write_atomically;
use crate::table::{CellType, TableColumn, TableRows};
use crate::{Error, Result};
use arrow::write_arrow;
use parquet::write_parquet;
use text::{Lines, write_text};
pub use typed::{Values, typed_columns};

/// Writes a table in the format of the path's ending, one of [`ENDINGS`], whole or not at all.
///
/// Numbers have the decimals of their column, or as many digits as it takes to read the same number
/// back; categories are written by their names, times in their format. Parquet and Arrow files hold
/// the types that the columns have as their storage, the nearest number within a narrow type, or
/// without one whole numbers, float64, texts, dates and timestamps. A missing cell is empty, and so
/// is one whose code has no name.
///
/// # Errors
/// [`Error::Data`]: the ending is unknown. [`Error::Config`]: the format of a time is none.
/// [`Error::Runtime`]: the values are no whole rows. [`Error::Io`]: the file cannot be written.
pub fn write_table(path: &Path, rows: TableRows<'_>) -> Result<()> {
    let format = Format::of(path).ok_or_else(|| {
        let endings: Vec<String> = ENDINGS.iter().map(|ending| format!(".{ending}")).collect();
        let message = format!("is no table; known endings: {}", endings.join(", "));
        Error::data(path, message)
    })?;
    if rows.columns.is_empty() || !rows.values.len().is_multiple_of(rows.columns.len()) {
        let (cells, columns) = (rows.values.len(), rows.columns.len());
        return Err(Error::runtime(format!("{cells} cells are no rows of {columns} columns")));
    }
    let cells = rows.columns.iter().map(Cells::of).collect::<Result<Vec<_>>>()?;
    write_atomically(path, |file| match format {
        Format::Text { separator, packed: false } => write_text(rows, &cells, separator, file),
        Format::Text { separator, packed: true } => {
            let mut packed = GzEncoder::new(file, Compression::fast());
            write_text(rows, &cells, separator, &mut packed)?;
            packed.finish().map(|_| ())
        }
        Format::Parquet => write_parquet(rows, &cells, file).map_err(std::io::Error::other),
        Format::Arrow => write_arrow(rows, &cells, file).map_err(std::io::Error::other),
    })
}

/// Writes a text table, packed or not, whose rows `make` passes on block by block, whole or not at
/// all. The bytes are those of [`write_table`], and memory holds a block alone.
///
/// # Errors
/// Those of `make` and of [`write_table`]. [`Error::Data`]: the ending is none of a text table.
pub fn write_text_blocks(
    path: &Path,
    columns: &[TableColumn],
    make: impl FnOnce(&mut dyn FnMut(&[f64]) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let Some(Format::Text { separator, packed }) = Format::of(path) else {
        return Err(Error::data(path, "is no text table, and rows are written one after another"));
    };
    let cells = columns.iter().map(Cells::of).collect::<Result<Vec<_>>>()?;
    let failed = |e| Error::io("write", path)(e);
    write_made(path, |file| {
        let file: Box<dyn Finish + '_> = match packed {
            true => Box::new(GzEncoder::new(file, Compression::fast())),
            false => Box::new(file),
        };
        let file = RefCell::new(file);
        let mut lines = Lines::new(columns, &cells, separator, &file).map_err(failed)?;
        make(&mut |values| lines.write(values).map_err(failed))?;
        lines.end().map_err(failed)?;
        file.into_inner().finish().map_err(failed)
    })
}

/// True if a file is written by [`write_text_blocks`].
pub fn is_text(path: &Path) -> bool {
    matches!(Format::of(path), Some(Format::Text { .. }))
}

/// A file with something to write at its end.
trait Finish: Write {
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

impl Finish for &mut BufWriter<&File> {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Finish for GzEncoder<W> {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        (*self).finish().map(|_| ())
    }
}

/// Texts of cells of a column, as a text file has them; those of missing cells are empty.
///
/// # Errors
/// [`Error::Config`]: the format of a time is none. [`Error::Runtime`]: a time cannot be written.
pub fn texts(column: &TableColumn, cells: impl Iterator<Item = f64>) -> Result<Vec<String>> {
    let own = Cells::of(column)?;
    let text = |cell| {
        let mut text = String::new();
        own.write(cell, &mut text).map_err(|e| Error::runtime(e.to_string()))?;
        Ok(text)
    };
    cells.map(text).collect()
}

/// Cells of a column, as they are written.
enum Cells<'a> {
    /// Numbers, rounded to decimals.
    Number(Option<u8>),
    /// Names by code.
    Name(&'a [String]),
    /// Times.
    Time(TimeFormat),
}

impl<'a> Cells<'a> {
    fn of(column: &'a TableColumn) -> Result<Self> {
        Ok(match &column.kind {
            CellType::Number { decimals } => Self::Number(*decimals),
            CellType::Flag { names } => Self::Name(names),
            CellType::Category { names, .. } => Self::Name(names),
            CellType::Time { format } => {
                let format = TimeFormat::new(format);
                let format = format.map_err(|e| e.under(&format!("columns.{}", column.name)))?;
                Self::Time(format.at(column.storage.offset()))
            }
        })
    }

    /// Name of a code; `None` if it has none, or the cells are no names.
    fn name(&self, code: f64) -> Option<&'a str> {
        match self {
            Self::Name(names) if code >= 0.0 => names.get(code as usize).map(String::as_str),
            _ => None,
        }
    }
}

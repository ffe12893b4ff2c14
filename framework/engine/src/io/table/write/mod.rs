//! Writing of tables.

mod arrow;
mod parquet;
mod stored;
mod text;
mod typed;

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::format::{ENDINGS, Format};
use super::time::TimeFormat;
use crate::io::write_atomically;
use crate::table::{CellType, TableColumn, TableRows};
use crate::{Error, Result};
use arrow::write_arrow;
use parquet::write_parquet;
use text::write_text;
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

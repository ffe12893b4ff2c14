//! Tables as text, separated by commas or otherwise. Cells are parsed on demand, so that a column
//! that is not used may hold anything; numbers are written with enough digits to read the same ones
//! back.

mod sheet;
#[cfg(test)]
mod tests;
mod text;

pub use sheet::{Format, Header, Sheet, is_missing, number};

use std::fmt::Write as _;
use std::path::Path;

use super::write_atomically;
use crate::{Error, Result};

/// A column to be written.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'a> {
    /// Numbers.
    Numbers(&'a [f64]),
    /// Texts, quoted where necessary.
    Texts(&'a [String]),
}

impl Cells<'_> {
    fn len(self) -> usize {
        match self {
            Cells::Numbers(all) => all.len(),
            Cells::Texts(all) => all.len(),
        }
    }

    fn write(self, i: usize, text: &mut String) -> std::fmt::Result {
        match self {
            Cells::Numbers(all) => write_number(all[i], text),
            Cells::Texts(all) => text.write_str(&all[i]),
        }
    }
}

/// Writes a table of equally long columns, whole or not at all, with a first line of their names if
/// there are any. Numbers have enough digits to read the same ones back.
///
/// # Errors
/// [`Error::Runtime`]: the columns differ in length, or the number of names is not that of the
/// columns. [`Error::Io`]: the file cannot be written.
pub fn write_csv(path: &Path, names: Option<&[&str]>, columns: &[Cells<'_>]) -> Result<()> {
    let rows = columns.first().map_or(0, |c| c.len());
    if let Some(column) = columns.iter().position(|c| c.len() != rows) {
        return Err(Error::runtime(format!(
            "the columns of a table must be equally long, \
             but the first has {rows} rows and number {} has {}",
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
        let mut text = String::new();
        for i in 0..rows {
            for column in columns {
                text.clear();
                column.write(i, &mut text).map_err(std::io::Error::other)?;
                writer.write_field(&text)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()?;
        drop(writer);
        Ok(())
    })
}

/// Writes a number: whole ones without a point, very large and very small ones with an exponent.
pub(super) fn write_number(value: f64, text: &mut String) -> std::fmt::Result {
    if value.fract() == 0.0 && value.abs() < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        write!(text, "{value:.0}")
    } else {
        write!(text, "{value:?}")
    }
}

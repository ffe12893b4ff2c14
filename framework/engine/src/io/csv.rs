//! Writing of tables as text, with enough digits to read the same numbers back.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::table::{Cells as Read, Format, TableFile, Wanted};

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let x = [0.1, -0.0, 1e300, 5e-324, 1.0 / 3.0];
        let names = ["a", "b, c", "\"", "", "ä"].map(str::to_owned);
        write_csv(&path, Some(&["x, first", "y"]), &[Cells::Numbers(&x), Cells::Texts(&names)])
            .unwrap();
        let file = TableFile::open(&path, &Format::default()).unwrap();
        assert_eq!(file.names().unwrap(), ["x, first", "y"]);
        let table = file.read(&[Wanted::Numbers, Wanted::Texts]).unwrap();
        let mut columns = table.columns.into_iter().flatten().map(|column| column.cells);
        let Some(Read::Numbers { values, .. }) = columns.next() else { panic!() };
        assert!(values.iter().zip(x).all(|(value, x)| value.to_bits() == x.to_bits()));
        let Some(Read::Texts { codes, texts }) = columns.next() else { panic!() };
        for (code, name) in codes.iter().zip(&names) {
            assert_eq!(texts.get(*code as usize).map_or("", String::as_str), name);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("\"x, first\",y\n0.1,a\n-0.0,\"b, c\"\n1e300,"), "{text}");
    }

    #[test]
    fn columns_that_do_not_fit_are_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let numbers = |all| Cells::Numbers(all);
        assert!(write_csv(&path, None, &[numbers(&[1.0]), numbers(&[1.0, 2.0])]).is_err());
        assert!(write_csv(&path, Some(&["a"]), &[numbers(&[1.0]), numbers(&[1.0])]).is_err());
        assert!(!path.exists());
    }
}

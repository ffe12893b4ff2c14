//! Columns of a table of text.

use super::files::{check_alike, check_rows, required};
use super::sheet_rows::{Decimal, Missing, Rows, columns_of, decided, read};
use std::path::{Path as FsPath, PathBuf};
use triflow::config::FilePath;
use triflow::io::csv::{Format, Sheet};
use triflow::prelude::*;
use triflow::registry::yaml_text;

/// A column of a table.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    triflow::serde::Serialize,
    triflow::serde::Deserialize,
    triflow::schemars::JsonSchema,
)]
#[serde(
    crate = "triflow::serde",
    untagged,
    expecting = "a column needs its name, or its number, counted from 0"
)]
#[schemars(crate = "triflow::schemars")]
pub enum Column {
    /// Its number, counted from 0.
    Number(usize),
    /// Its name.
    Name(String),
}

/// Declares a choice among names.
macro_rules! choice {
    ($(#[doc = $doc:literal])* pub enum $E:ident { $(#[doc = $about:literal] $V:ident),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            triflow::serde::Serialize,
            triflow::serde::Deserialize,
            triflow::schemars::JsonSchema,
        )]
        #[serde(crate = "triflow::serde", rename_all = "snake_case")]
        #[schemars(crate = "triflow::schemars")]
        pub enum $E {
            $(#[doc = $about] $V),*
        }
    };
}

choice! {
    /// Whether the first line of a table holds the names of the columns.
    pub enum Header {
        /// It does if none of its cells is a number.
        Detect,
        /// It does.
        Present,
        /// It does not.
        Absent,
    }
}

choice! {
    /// What stands between the cells of a table.
    pub enum Separator {
        /// A tab in a `.tsv`; else a tab, a semicolon, a comma or a bar, as the first lines have it.
        Auto,
        /// `,`
        Comma,
        /// `;`
        Semicolon,
        /// A tab.
        Tab,
        /// `|`
        Bar,
    }
}

choice! {
    /// How a number's whole part is separated from its fraction.
    pub enum DecimalSign {
        /// By a comma, where cells are not separated by one and numbers have commas and no points; else by a point.
        Auto,
        /// By a point.
        Point,
        /// By a comma.
        Comma,
    }
}

choice! {
    /// What becomes of a row that misses a value in a column of x or y: an empty cell, or NA, NaN, null, None.
    pub enum MissingValue {
        /// An error that names line and column.
        Error,
        /// It is left out, and how many are is said.
        Drop,
    }
}

triflow::component! {
    /// Columns x and y of a table of text (`.csv`, `.tsv`, packed as `.csv.gz` or not), one row an example.
    ///
    /// Columns are named, or numbered from 0; those of neither x nor y may hold anything. A later file is read by
    /// the names that training used, in whatever order its columns stand. Class labels may be numbers, texts or
    /// booleans: each that occurs is a class of its name.
    #[extensions("csv", "tsv", "csv.gz", "tsv.gz")]
    pub struct Csv: DataSource, DataSourceSpec = "csv" {
        /// The file.
        pub path: FilePath = FilePath::default(),
        /// Columns of x; empty: those called `x`, `x0`, `x1`, …, by their numbers.
        pub x: Vec<Column> = Vec::new(),
        /// Columns of y; empty: those called `y`, `y0`, `y1`, …, or `label`.
        pub y: Vec<Column> = Vec::new(),
        /// Whether the one column of y holds class labels; null: if it is called `label` or holds no number.
        pub labels: Option<bool> = None,
        /// Whether the first line holds names.
        pub header: Header = Header::Detect,
        /// What stands between cells.
        pub separator: Separator = Separator::Auto,
        /// What stands before the fraction of a number.
        pub decimal: DecimalSign = DecimalSign::Auto,
        /// The encoding of the text, such as `latin1` or `utf-16le`; null: UTF-8, or UTF-16 by its mark.
        pub encoding: Option<String> = None,
        /// What becomes of a row with an empty cell (or NA, NaN, null, None) in a column of x or y.
        pub missing: MissingValue = MissingValue::Error,
        /// Another table, of rows for validation; null: they are split off.
        pub val_path: Option<FilePath> = None,
        /// Another table, of rows for the final evaluation; null: they are split off.
        pub test_path: Option<FilePath> = None,
    }
}

impl Spec<dyn DataSource> for Csv {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        Ok(Box::new(Source { base: ctx.base.clone(), spec: self.clone() }))
    }
}

struct Source {
    base: PathBuf,
    spec: Csv,
}

impl DataSource for Source {
    fn load(&self) -> Result<Splits> {
        let path = required(&self.spec.path, &self.base)?;
        let sheet = self.open(&path)?;
        let rows = self.rows(&path, &sheet, &self.spec, &[Part::X, Part::Y])?;
        let train = read(&path, &sheet, &rows)?;
        check_rows(&path, &train, ["x", "y"])?;
        // Further tables are read as this one turned out to be.
        let spec = Csv {
            x: decided(&sheet, &rows.x),
            y: decided(&sheet, &rows.y),
            labels: train.y.as_ref().map(|y| y.kind() == triflow::tch::Kind::Int64),
            ..self.spec.clone()
        };
        let further = |path: &Option<FilePath>, set: &str| -> Result<Option<Columns>> {
            let Some(path) = path else { return Ok(None) };
            let path = self.base.join(&**path);
            let sheet = self.open(&path)?;
            let parts: Vec<Part> = [(Part::X, &spec.x), (Part::Y, &spec.y)]
                .into_iter()
                .filter_map(|(part, columns)| (!columns.is_empty()).then_some(part))
                .collect();
            let table = read(&path, &sheet, &self.rows(&path, &sheet, &spec, &parts)?)?;
            check_alike(&path, &train, &table, set)?;
            Ok(Some(table))
        };
        let val = further(&self.spec.val_path, "val")?;
        let test = further(&self.spec.test_path, "test")?;
        let mut keys = vec![("x".to_owned(), yaml_text(&spec.x)?)];
        if train.y.is_some() {
            keys.push(("y".to_owned(), yaml_text(&spec.y)?));
            keys.push(("labels".to_owned(), yaml_text(&spec.labels)?));
        }
        Ok(Splits { train, val, test, decided: keys })
    }

    fn read(&self, path: &FsPath, parts: &[Part]) -> Result<Columns> {
        let sheet = self.open(path)?;
        let rows = self.rows(path, &sheet, &self.spec, parts)?;
        for part in parts {
            if rows.of(*part).is_empty() {
                return Err(rows.not_told(path, &sheet, &[*part]));
            }
        }
        read(path, &sheet, &rows)
    }
}

impl Source {
    fn open(&self, path: &FsPath) -> Result<Sheet> {
        use triflow::io::csv::Header as Names;
        triflow::io::check_input(path)?;
        let header = match self.spec.header {
            Header::Detect => Names::Detect,
            Header::Present => Names::Present,
            Header::Absent => Names::Absent,
        };
        let separator = match self.spec.separator {
            Separator::Auto => is_tsv(path).then_some(b'\t'),
            Separator::Comma => Some(b','),
            Separator::Semicolon => Some(b';'),
            Separator::Tab => Some(b'\t'),
            Separator::Bar => Some(b'|'),
        };
        Sheet::open(path, &Format { header, separator, encoding: self.spec.encoding.clone() })
    }

    /// What is to be read of a sheet, the columns of `parts` found.
    fn rows(&self, path: &FsPath, sheet: &Sheet, spec: &Csv, parts: &[Part]) -> Result<Rows> {
        let columns = |part: Part, given: &[Column]| match parts.contains(&part) {
            true => columns_of(path, sheet, given, part),
            false => Ok(Vec::new()),
        };
        let rows = Rows {
            x: columns(Part::X, &spec.x)?,
            y: columns(Part::Y, &spec.y)?,
            labels: spec.labels,
            decimal: match spec.decimal {
                DecimalSign::Auto => Decimal::Seen,
                DecimalSign::Point => Decimal::Point,
                DecimalSign::Comma => Decimal::Comma,
            },
            missing: match spec.missing {
                MissingValue::Error => Missing::Refused,
                MissingValue::Drop => Missing::Dropped,
            },
        };
        if rows.x.is_empty() && rows.y.is_empty() {
            return Err(rows.not_told(path, sheet, parts));
        }
        if let Some(both) = rows.x.iter().find(|i| rows.y.contains(i)) {
            return Err(Error::data(path, format!("{} is both x and y", sheet.called(*both))));
        }
        Ok(rows)
    }
}

/// Whether a name ends in `.tsv` or `.tsv.gz`.
fn is_tsv(path: &FsPath) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    name.is_some_and(|name| name.trim_end_matches(".gz").ends_with(".tsv"))
}

//! Columns of a table of comma-separated text.

use super::files::{check_alike, check_rows, labels, numbers, required};
use std::path::{Path as FsPath, PathBuf};
use triflow::config::FilePath;
use triflow::error::suggestion;
use triflow::io::csv::{self, read_csv};
use triflow::prelude::*;

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

/// Whether the first line of a table holds the names of the columns.
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
pub enum Header {
    /// It does if none of its cells is a number.
    Detect,
    /// It does.
    Present,
    /// It does not.
    Absent,
}

triflow::component! {
    /// Columns x and y of a table of comma-separated numbers (`.csv`), one row an example.
    ///
    /// Columns are named, or numbered from 0. Every cell must be a finite number.
    #[extensions("csv")]
    pub struct Csv: DataSource, DataSourceSpec = "csv" {
        /// The file.
        pub path: FilePath = FilePath::default(),
        /// Columns of x; empty: those called `x`, `x0`, `x1`, …
        pub x: Vec<Column> = Vec::new(),
        /// Columns of y; empty: those called `y`, `y0`, `y1`, …, or `label`.
        pub y: Vec<Column> = Vec::new(),
        /// Whether the one column of y holds class labels 0, 1, 2, …; null: if it is called `label`.
        pub labels: Option<bool> = None,
        /// Whether the first line holds names.
        pub header: Header = Header::Detect,
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
        let train = self.table(&required(&self.spec.path, &self.base)?)?;
        let further = |path: &Option<FilePath>, set: &str| -> Result<Option<Table>> {
            let Some(path) = path else { return Ok(None) };
            let path = self.base.join(&**path);
            let table = self.table(&path)?;
            check_alike(&path, &train, &table, set)?;
            Ok(Some(table))
        };
        let val = further(&self.spec.val_path, "val")?;
        let test = further(&self.spec.test_path, "test")?;
        Ok(Splits { train, val, test, ..Splits::default() })
    }

    fn read(&self, path: &FsPath, part: Part) -> Result<Tensor> {
        let table = self.open(path)?;
        let columns = match part {
            Part::X => &self.spec.x,
            Part::Y => &self.spec.y,
        };
        let columns = columns_of(path, &table, columns, part)?;
        if columns.is_empty() {
            let message = format!("{part} cannot be told from the names{}", ask(&table));
            return Err(Error::data(path, message));
        }
        self.tensor(path, &table, &columns, part)
    }
}

impl Source {
    fn open(&self, path: &FsPath) -> Result<csv::Table> {
        triflow::io::check_input(path)?;
        let header = match self.spec.header {
            Header::Detect => csv::Header::Detect,
            Header::Present => csv::Header::Present,
            Header::Absent => csv::Header::Absent,
        };
        read_csv(path, header)
    }

    fn table(&self, path: &FsPath) -> Result<Table> {
        let table = self.open(path)?;
        let x = columns_of(path, &table, &self.spec.x, Part::X)?;
        let y = columns_of(path, &table, &self.spec.y, Part::Y)?;
        if x.is_empty() && y.is_empty() {
            let message = format!("x and y cannot be told from the names{}", ask(&table));
            return Err(Error::data(path, message));
        }
        if let Some(both) = x.iter().find(|i| y.contains(i)) {
            return Err(Error::data(path, format!("{} is both x and y", called(&table, *both))));
        }
        let side = |columns: &[usize], part| {
            if columns.is_empty() {
                Ok(None)
            } else {
                self.tensor(path, &table, columns, part).map(Some)
            }
        };
        let rows = Table { x: side(&x, Part::X)?, y: side(&y, Part::Y)?, ..Table::default() };
        check_rows(path, &rows, ["x", "y"])?;
        Ok(rows)
    }

    fn tensor(
        &self,
        path: &FsPath,
        table: &csv::Table,
        columns: &[usize],
        part: Part,
    ) -> Result<Tensor> {
        let first = columns[0];
        let is_label = part == Part::Y
            && self
                .spec
                .labels
                .unwrap_or_else(|| columns.len() == 1 && name(table, first) == "label");
        if is_label {
            if columns.len() > 1 {
                return Err(Error::config(
                    "labels",
                    format!("class labels need one column of y, got {}", columns.len()),
                ));
            }
            let whole =
                table.columns[first].iter().map(|v| (v.fract() == 0.0).then_some(*v as i64));
            let whole: Vec<i64> = whole.enumerate().map(|(row, v)| v.ok_or(row)).collect::<Result<_, _>>().map_err(|row| {
                Error::data(
                    path,
                    format!(
                        "{}: row {row} (counted from 0) holds {}, which is no class label (0, 1, 2, …)",
                        called(table, first),
                        table.columns[first][row]
                    ),
                )
            })?;
            return labels(path, &called(table, first), &whole);
        }
        let mut sides = Vec::with_capacity(columns.len());
        for i in columns {
            let values = &table.columns[*i];
            sides.push(numbers(path, &called(table, *i), &[values.len()], values.clone().into())?);
        }
        Ok(Tensor::stack(&sides, 1))
    }
}

fn name(table: &csv::Table, column: usize) -> &str {
    table.names.as_ref().and_then(|names| names.get(column)).map_or("", String::as_str)
}

/// A column, for a message.
fn called(table: &csv::Table, column: usize) -> String {
    match name(table, column) {
        "" => format!("column {column} (counted from 0)"),
        name => format!("column `{name}`"),
    }
}

/// How to say which columns are which.
fn ask(table: &csv::Table) -> String {
    let n = table.columns.len();
    let text = |i: usize| match name(table, i) {
        "" => i.to_string(),
        name => name.to_owned(),
    };
    let x: Vec<_> = (0..(n - 1).max(1)).map(text).collect();
    let known: Vec<_> = (0..n).map(text).collect();
    format!(
        "; say which columns are which, such as data.x=[{}] and data.y=[{}]; known columns: {}",
        x.join(","),
        text(n - 1),
        known.join(", ")
    )
}

/// The numbers of the columns of one side; of those with the usual names where none is given.
fn columns_of(
    path: &FsPath,
    table: &csv::Table,
    given: &[Column],
    part: Part,
) -> Result<Vec<usize>> {
    if given.is_empty() {
        return Ok((0..table.columns.len()).filter(|i| is_usual(name(table, *i), part)).collect());
    }
    given.iter().map(|column| number_of(path, table, column)).collect()
}

/// `x`, `x0`, `x_0`; for y also `label`.
fn is_usual(name: &str, part: Part) -> bool {
    let digits = name.strip_prefix(if part == Part::X { 'x' } else { 'y' });
    let digits = digits.map(|rest| rest.strip_prefix('_').unwrap_or(rest));
    digits.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
        || part == Part::Y && name == "label"
}

fn number_of(path: &FsPath, table: &csv::Table, column: &Column) -> Result<usize> {
    let n = table.columns.len();
    match (column, &table.names) {
        (Column::Number(i), _) if *i < n => Ok(*i),
        (Column::Number(i), _) => {
            Err(Error::data(path, format!("there is no column {i}: it has {n}, counted from 0")))
        }
        (Column::Name(name), Some(names)) => {
            names.iter().position(|known| known == name).ok_or_else(|| {
                let help = suggestion(name, "columns", names.iter().map(String::as_str));
                Error::data(path, format!("there is no column `{name}`; {help}"))
            })
        }
        (Column::Name(name), None) => Err(Error::data(
            path,
            format!(
                "there is no column `{name}`: the file has no line of names, so number its {n} columns \
                 from 0"
            ),
        )),
    }
}

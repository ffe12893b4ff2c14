use super::files::{check_alike, check_rows};
use super::sheet_rows::{
    Decimal, Missing, Selection, column_keys, columns_of, read, split_column, weights,
};
use std::path::{Path as FsPath, PathBuf};
use triflow::config::FilePath;
use triflow::io::csv::{Format, Sheet};
use triflow::prelude::*;
use triflow::registry::{Parameter, Setting, Shape, Yaml, needs, yaml_text};

/// Column of a table, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Number of the column, counted from 0.
    Number(usize),
    /// Name of the column.
    Name(String),
}

impl Parameter for Column {
    fn shape() -> Shape {
        Shape::Other {
            name: "column",
            schema: r#"{ "type": ["integer", "string"], "minimum": 0 }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let number = || usize::try_from(yaml.as_u64()?).ok().map(Self::Number);
        let name = || yaml.as_str().map(|name| Self::Name(name.to_owned()));
        name()
            .or_else(number)
            .ok_or_else(|| needs("the name of a column, or its number, counted from 0", yaml))
    }
}

impl Setting for Column {
    fn write(&self) -> Result<Yaml> {
        match self {
            Self::Number(number) => number.write(),
            Self::Name(name) => name.write(),
        }
    }
}

triflow::choices! {
    /// Presence of a first line with the names of the columns.
    pub enum Header {
        /// Present if no cell of the first line is a number.
        Detect = "detect",
        /// The first line holds the names.
        Present = "present",
        /// The first line is a row.
        Absent = "absent",
    }
}

triflow::choices! {
    /// Separator between the cells of a table.
    pub enum Separator {
        /// A tab in a `.tsv`; else a tab, semicolon, comma or bar, detected from the first lines.
        Auto = "auto",
        /// `,`
        Comma = "comma",
        /// `;`
        Semicolon = "semicolon",
        /// A tab.
        Tab = "tab",
        /// `|`
        Bar = "bar",
    }
}

triflow::choices! {
    /// Decimal sign of numbers.
    pub enum DecimalSign {
        /// A comma if numbers have commas but no points, and commas do not separate cells; else a
        /// point.
        Auto = "auto",
        /// `.`
        Point = "point",
        /// `,`
        Comma = "comma",
    }
}

triflow::choices! {
    /// Treatment of rows with a missing value (an empty cell, or NA, NaN, null, None) in a column
    /// of x or y.
    pub enum MissingValue {
        /// Stop with an error that names line and column.
        Error = "error",
        /// Leave the row out; a warning gives the number of such rows.
        Drop = "drop",
    }
}

triflow::component! {
    /// A table of text (`.csv`, `.tsv`, gzipped or not): x and y are columns, each row an example.
    ///
    /// Columns are chosen by name, or by number from 0; the others may hold anything. A later file
    /// is read by the names that training used, whatever the order of its columns. Class labels may
    /// be numbers, texts or booleans: each distinct value is a class of that name.
    #[extensions("csv", "tsv", "csv.gz", "tsv.gz")]
    #[example = "{ type: csv, path: rows.csv }"]
    pub struct Csv: DataSource = "csv" {
        /// File of the table.
        pub path: FilePath,
        /// Columns of x; empty: those named `x`, `x0`, `x1`, …, in the order of their numbers.
        pub x: Vec<Column> = Vec::new(),
        /// Columns of y; empty: those named `y`, `y0`, `y1`, …, or `label`.
        pub y: Vec<Column> = Vec::new(),
        /// Read the single column of y as class labels; null: if it is named `label` or holds no
        /// number.
        pub labels: Option<bool> = None,
        /// Presence of a first line with the names of the columns.
        pub header: Header = Header::Detect,
        /// Separator between cells.
        pub separator: Separator = Separator::Auto,
        /// Decimal sign of numbers.
        pub decimal: DecimalSign = DecimalSign::Auto,
        /// Encoding of the text, such as `latin1` or `utf-16le`; null: UTF-8, or UTF-16 with a byte
        /// order mark.
        pub encoding: Option<String> = None,
        /// Treatment of rows with an empty cell (or NA, NaN, null, None) in a column of x or y.
        pub missing: MissingValue = MissingValue::Error,
        /// File of the rows for validation; null: they are split off.
        pub val_path: Option<FilePath> = None,
        /// File of the rows for the final evaluation; null: they are split off.
        pub test_path: Option<FilePath> = None,
        /// Column with the weight of each training row, at least 0, for `training.row_weights:
        /// given`; null: none.
        pub weights: Option<Column> = None,
    }
}

impl Spec<dyn DataSource> for Csv {
    fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
        let split_column = ctx.split_column.clone();
        Ok(Box::new(Source { base: ctx.base.clone(), split_column, spec: self.clone() }))
    }
}

struct Source {
    base: PathBuf,
    split_column: Option<String>,
    spec: Csv,
}

impl DataSource for Source {
    fn load(&self) -> Result<Splits> {
        let path = self.base.join(&*self.spec.path);
        let sheet = self.open(&path)?;
        let selection = self.select(&path, &sheet, &self.spec, &[Part::X, Part::Y])?;
        let mut train = read(&path, &sheet, &selection)?;
        if let Some(column) = &self.spec.weights {
            train.weights = Some(weights(&path, &sheet, column, &train.kept)?);
        }
        if let Some(name) = &self.split_column {
            train.split = Some(split_column(&path, &sheet, name, &train.kept)?);
        }
        check_rows(&path, &train, ["x", "y"])?;
        // The other tables are read by the columns and types that were decided here.
        let spec = Csv {
            x: column_keys(&sheet, &selection.x),
            y: column_keys(&sheet, &selection.y),
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
            let columns = read(&path, &sheet, &self.select(&path, &sheet, &spec, &parts)?)?;
            check_alike(&path, &train, &columns, set)?;
            Ok(Some(columns))
        };
        let val = further(&self.spec.val_path, "val")?;
        let test = further(&self.spec.test_path, "test")?;
        let mut keys = vec![("x".to_owned(), yaml_text(&spec.x.write()?)?)];
        if train.y.is_some() {
            keys.push(("y".to_owned(), yaml_text(&spec.y.write()?)?));
            keys.push(("labels".to_owned(), yaml_text(&spec.labels.write()?)?));
        }
        Ok(Splits { train, val, test, decided: keys })
    }

    fn read(&self, path: &FsPath, parts: &[Part]) -> Result<Columns> {
        let sheet = self.open(path)?;
        let selection = self.select(path, &sheet, &self.spec, parts)?;
        for part in parts {
            if selection.columns(*part).is_empty() {
                return Err(selection.undecided(path, &sheet, &[*part]));
            }
        }
        read(path, &sheet, &selection)
    }

    fn read_incomplete(&self, path: &FsPath, part: Part) -> Result<Columns> {
        let sheet = self.open(path)?;
        // A single column of numbers may be empty in the first rows: it holds no class labels.
        let spec = Csv { labels: Some(false), ..self.spec.clone() };
        let selection = self.select(path, &sheet, &spec, &[part])?;
        read(path, &sheet, &Selection { missing: Missing::Keep, ..selection })
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

    /// The columns of `parts` in a sheet, and how they are read.
    ///
    /// # Errors
    /// A column does not exist, none is found, or one is both x and y.
    fn select(
        &self,
        path: &FsPath,
        sheet: &Sheet,
        spec: &Csv,
        parts: &[Part],
    ) -> Result<Selection> {
        let columns = |part: Part, given: &[Column]| match parts.contains(&part) {
            true => columns_of(path, sheet, given, part),
            false => Ok(Vec::new()),
        };
        let selection = Selection {
            x: columns(Part::X, &spec.x)?,
            y: columns(Part::Y, &spec.y)?,
            labels: spec.labels,
            decimal: match spec.decimal {
                DecimalSign::Auto => Decimal::Detect,
                DecimalSign::Point => Decimal::Point,
                DecimalSign::Comma => Decimal::Comma,
            },
            missing: match spec.missing {
                MissingValue::Error => Missing::Error,
                MissingValue::Drop => Missing::Drop,
            },
        };
        if selection.x.is_empty() && selection.y.is_empty() {
            return Err(selection.undecided(path, sheet, parts));
        }
        if let Some(both) = selection.x.iter().find(|i| selection.y.contains(i)) {
            return Err(Error::data(path, format!("{} is both x and y", sheet.called(*both))));
        }
        Ok(selection)
    }
}

/// `true` if the name of the file ends in `.tsv` or `.tsv.gz`.
fn is_tsv(path: &FsPath) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    name.is_some_and(|name| name.trim_end_matches(".gz").ends_with(".tsv"))
}

//! Types of the keys of tables.

use std::path::Path as FsPath;
use triflow::component::ClassNames;
use triflow::io::table::TypeWish;
use triflow::prelude::*;
use triflow::registry::{Mapping, Parameter, Setting, Shape, Yaml, needs};
use triflow::table::{CellType, Scaling, TableColumn};

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

/// Columns of a table; a single one needs no brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnList(pub Vec<Column>);

impl Parameter for ColumnList {
    fn shape() -> Shape {
        Shape::Other {
            name: "list of columns",
            schema: r#"{ "type": ["array", "integer", "string"], "minimum": 0, "items": { "type": ["integer", "string"], "minimum": 0 } }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        match yaml {
            Yaml::String(_) | Yaml::Number(_) => Ok(Self(vec![Column::read(yaml)?])),
            _ => Vec::read(yaml).map(Self),
        }
    }
}

impl Setting for ColumnList {
    fn write(&self) -> Result<Yaml> {
        self.0.write()
    }
}

triflow::choices! {
    /// Presence of a first line with the names of the columns.
    pub enum Header {
        /// Present if no cell of the first line is a number, or a word stands above numbers.
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

impl Separator {
    /// The separator in ASCII for the file `path`; `None`: detected.
    pub(super) fn byte(self, path: &FsPath) -> Option<u8> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        let is_tsv = name.is_some_and(|name| name.trim_end_matches(".gz").ends_with(".tsv"));
        byte_of(self.name()).or(is_tsv.then_some(b'\t'))
    }
}

triflow::choices! {
    /// Decimal sign of numbers.
    pub enum DecimalSign {
        /// Detected for each column: a comma if its numbers have commas but no points, and commas
        /// do not separate cells; else a point.
        Auto = "auto",
        /// `.`
        Point = "point",
        /// `,`
        Comma = "comma",
    }
}

impl DecimalSign {
    /// The sign in ASCII; `None`: detected.
    pub(super) fn byte(self) -> Option<u8> {
        byte_of(self.name())
    }
}

/// The sign in ASCII that a word of a choice stands for; `None` for `auto`.
fn byte_of(word: &str) -> Option<u8> {
    Some(match word {
        "comma" => b',',
        "point" => b'.',
        "semicolon" => b';',
        "tab" => b'\t',
        "bar" => b'|',
        _ => return None,
    })
}

triflow::choices! {
    /// Treatment of missing values, which are empty cells and markers.
    pub enum MissingValue {
        /// Keep them as missing. Rows without any value of y are left out.
        Keep = "keep",
        /// Stop with an error that names line and column.
        Error = "error",
        /// Leave the row out; a warning gives the number of such rows.
        Drop = "drop",
    }
}

triflow::choices! {
    /// Type of a column.
    pub enum ColumnType {
        /// Numbers.
        Number = "number",
        /// Whole numbers.
        Integer = "integer",
        /// One of two words or numbers, such as no and yes.
        Flag = "flag",
        /// One of several names.
        Category = "category",
        /// Dates and times.
        Time = "time",
        /// The column is not used.
        Ignore = "ignore",
    }
}

triflow::choices! {
    /// Scaling of numbers and times.
    pub enum ColumnScaling {
        /// To mean 0 and standard deviation 1.
        Standard = "standard",
        /// To a standard normal distribution, by the quantiles.
        Quantile = "quantile",
    }
}

impl From<ColumnScaling> for Scaling {
    fn from(scaling: ColumnScaling) -> Self {
        match scaling {
            ColumnScaling::Standard => Scaling::Standard,
            ColumnScaling::Quantile => Scaling::Quantile,
        }
    }
}

/// Type of a column, and options of its type: a word such as `category`, or a map with `type`,
/// `order` (the names of categories), `format` (of times) and `scaling`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnOptions {
    /// Type of the column; `None`: by its cells.
    pub kind: Option<ColumnType>,
    /// Names of the categories in their order; empty without one.
    pub order: Vec<String>,
    /// Format of times, in the notation of `strftime`.
    pub format: Option<String>,
    /// Scaling of numbers and times; `None`: that of the table.
    pub scaling: Option<ColumnScaling>,
}

impl Parameter for ColumnOptions {
    fn shape() -> Shape {
        Shape::Other {
            name: "type, or map with `type`, `order`, `format`, `scaling`",
            schema: r#"{ "anyOf": [
                { "enum": ["number", "integer", "flag", "category", "time", "ignore"] },
                { "type": "object", "additionalProperties": false, "properties": {
                    "type": { "enum": ["number", "integer", "flag", "category", "time", "ignore"] },
                    "order": { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
                    "format": { "type": "string" },
                    "scaling": { "enum": ["standard", "quantile"] }
                } }
            ] }"#,
        }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let Yaml::Mapping(map) = yaml else {
            return Ok(Self { kind: Some(ColumnType::read(yaml)?), ..Self::default() });
        };
        let mut options = Self::default();
        for (key, value) in map {
            let key = key.as_str().unwrap_or_default();
            let read = match key {
                "type" => ColumnType::read(value).map(|kind| options.kind = Some(kind)),
                "order" => ClassNames::read(value).and_then(|names| {
                    options.order = checked_order(names.0)?;
                    Ok(())
                }),
                "format" => String::read(value).map(|format| options.format = Some(format)),
                "scaling" => {
                    ColumnScaling::read(value).map(|scaling| options.scaling = Some(scaling))
                }
                _ => Err(Error::config("", format!("unknown key `{key}`"))
                    .help("known keys: type, order, format, scaling")),
            };
            read.map_err(|e| e.within(key))?;
        }
        let given = options.kind;
        let of = |kind: ColumnType, key: &str| match given {
            Some(own) if own != kind => {
                let message = format!("belongs to columns of type {}", kind.name());
                Err(Error::config(key, message))
            }
            _ => Ok(Some(kind)),
        };
        if !options.order.is_empty() {
            options.kind = of(ColumnType::Category, "order")?;
        }
        if options.format.is_some() {
            options.kind = of(ColumnType::Time, "format")?;
        }
        if let (Some(_), Some(kind)) = (options.scaling, options.kind)
            && !matches!(kind, ColumnType::Number | ColumnType::Integer | ColumnType::Time)
        {
            let message = "belongs to columns of type number, integer and time";
            return Err(Error::config("scaling", message));
        }
        Ok(options)
    }
}

/// Names in their order, if there are some and each occurs once.
fn checked_order(names: Vec<String>) -> Result<Vec<String>> {
    if names.is_empty() {
        return Err(Error::config("", "needs the names of the categories in their order"));
    }
    match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        Some((_, twice)) => Err(Error::config("", format!("`{twice}` occurs twice"))),
        None => Ok(names),
    }
}

impl Setting for ColumnOptions {
    fn write(&self) -> Result<Yaml> {
        let mut map = Mapping::new();
        if let Some(kind) = self.kind {
            map.insert("type".into(), kind.write()?);
        }
        if !self.order.is_empty() {
            map.insert("order".into(), self.order.write()?);
        }
        if let Some(format) = &self.format {
            map.insert("format".into(), format.write()?);
        }
        if let Some(scaling) = self.scaling {
            map.insert("scaling".into(), scaling.write()?);
        }
        match (self.kind, map.len()) {
            (Some(kind), 1) => kind.write(),
            _ => Ok(Yaml::Mapping(map)),
        }
    }
}

impl ColumnOptions {
    /// True if the column is not used.
    pub(super) fn is_ignored(&self) -> bool {
        self.kind == Some(ColumnType::Ignore)
    }

    /// The type that is wanted; `None`: by the cells.
    pub(super) fn wish(&self) -> Option<TypeWish> {
        Some(match self.kind? {
            ColumnType::Number => TypeWish::Number,
            ColumnType::Integer => TypeWish::Integer,
            ColumnType::Flag => TypeWish::Flag,
            ColumnType::Category => TypeWish::Category { order: self.order.clone() },
            ColumnType::Time => TypeWish::Time,
            ColumnType::Ignore => return None,
        })
    }

    /// These options with the type that the column was found to have.
    pub(super) fn decided(&self, column: &TableColumn) -> Self {
        let mut own = self.clone();
        if let CellType::Time { format } = &column.kind {
            own.format = Some(format.clone());
        }
        own.kind = Some(self.kind.unwrap_or(match &column.kind {
            CellType::Number { .. } => ColumnType::Number,
            CellType::Flag { .. } => ColumnType::Flag,
            CellType::Category { .. } => ColumnType::Category,
            CellType::Time { .. } => ColumnType::Time,
        }));
        own
    }
}

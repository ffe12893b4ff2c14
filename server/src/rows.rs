//! Rows in the body of a request: records of named columns, lists of numbers, or names of classes.

use serde_yaml::Value as Yaml;
use std::path::Path;
use triflow::data::Table;
use triflow::registry::{Parameter, Setting, Shape, needs, registry};
use triflow::request::Conditions;
use triflow::table::{CellType, TableColumn};
use triflow::tch::{Kind, Tensor};
use triflow::{Error, Result, Trained};

/// Rows as a request gives them.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum GivenRows {
    /// None.
    #[default]
    None,
    /// Numbers in C order, with their shape.
    Numbers { shape: Vec<i64>, values: Vec<f64> },
    /// Names, one a row.
    Names(Vec<String>),
    /// A table, of records.
    Records(Table),
}

/// Schema of rows.
const SCHEMA: &str = r#"{
    "type": ["array", "null"],
    "minItems": 1,
    "anyOf": [
        { "type": "null" },
        { "items": { "type": "object", "minProperties": 1,
            "additionalProperties": { "type": ["number", "string", "boolean", "null"] } } },
        { "items": { "type": ["number", "array"] } },
        { "items": { "type": "string" } }
    ]
}"#;

impl Setting for GivenRows {
    /// Rows are not written.
    fn write(&self) -> Result<Yaml> {
        Ok(Yaml::Null)
    }
}

impl Parameter for GivenRows {
    fn shape() -> Shape {
        Shape::Other { name: "rows", schema: SCHEMA }
    }

    fn read(yaml: &Yaml) -> Result<Self> {
        let rows = match yaml {
            Yaml::Null => return Ok(Self::None),
            Yaml::Sequence(rows) => rows,
            other => return Err(needs("a list of rows", other)),
        };
        match rows.first() {
            None => Err(Error::config("", "holds no rows")),
            Some(Yaml::Mapping(_)) => records(rows),
            Some(Yaml::String(_)) => {
                let name = |(i, row): (usize, &Yaml)| match row {
                    Yaml::String(name) => Ok(name.clone()),
                    other => Err(needs("a name", other).within(&format!("[{i}]"))),
                };
                rows.iter().enumerate().map(name).collect::<Result<_>>().map(Self::Names)
            }
            Some(_) => numbers(rows),
        }
    }
}

/// Lists of numbers of one shape.
fn numbers(rows: &[Yaml]) -> Result<GivenRows> {
    let mut shape = vec![rows.len() as i64];
    let mut first = &rows[0];
    while let Yaml::Sequence(inner) = first {
        shape.push(inner.len() as i64);
        let Some(next) = inner.first() else { break };
        first = next;
    }
    let mut values = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        fill(row, &shape[1..], &mut values).map_err(|e| e.within(&format!("[{i}]")))?;
    }
    if values.is_empty() {
        return Err(Error::config("", "holds rows without numbers"));
    }
    Ok(GivenRows::Numbers { shape, values })
}

/// Appends the numbers of `yaml`, which has the shape `shape`; null is a missing number.
fn fill(yaml: &Yaml, shape: &[i64], values: &mut Vec<f64>) -> Result<()> {
    match (yaml, shape) {
        (Yaml::Sequence(inner), [n, rest @ ..]) if inner.len() as i64 == *n => {
            for (i, value) in inner.iter().enumerate() {
                fill(value, rest, values).map_err(|e| e.within(&format!("[{i}]")))?;
            }
            Ok(())
        }
        (Yaml::Sequence(inner), [n, ..]) => {
            let message = format!("needs {n} entries as the first row has, got {}", inner.len());
            Err(Error::config("", message))
        }
        (other, [n, ..]) => Err(needs(&format!("a list of {n} entries"), other)),
        (Yaml::Null, []) => {
            values.push(f64::NAN);
            Ok(())
        }
        (other, []) => {
            values.push(other.as_f64().ok_or_else(|| needs("a number", other))?);
            Ok(())
        }
    }
}

/// A table of records, with the columns of all in the order in which they come. A key that a record
/// lacks is a missing cell.
fn records(rows: &[Yaml]) -> Result<GivenRows> {
    let mut columns: Vec<(String, Vec<Yaml>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        let at = |e: Error| e.within(&format!("[{i}]"));
        let Yaml::Mapping(cells) = row else {
            return Err(at(needs("a map of columns as the first row is", row)));
        };
        for (name, cell) in cells {
            let name = name.as_str().ok_or_else(|| at(needs("a name of a column", name)))?;
            if matches!(cell, Yaml::Sequence(_) | Yaml::Mapping(_) | Yaml::Tagged(_)) {
                return Err(at(needs("a number, text, true, false or null", cell).within(name)));
            }
            let place = *places.entry(name.to_owned()).or_insert_with(|| {
                columns.push((name.to_owned(), Vec::new()));
                columns.len() - 1
            });
            let cells = &mut columns[place].1;
            cells.resize(i, Yaml::Null);
            cells.push(cell.clone());
        }
    }
    if columns.is_empty() {
        return Err(Error::config("", "holds rows without columns"));
    }
    let mut table = Table::default();
    for (name, mut cells) in columns {
        cells.resize(rows.len(), Yaml::Null);
        let (column, cells) = column(name, &cells);
        table.push(column, cells);
    }
    Ok(GivenRows::Records(table))
}

/// A column of numbers, of true and false, or of texts where a cell is one.
fn column(name: String, cells: &[Yaml]) -> (TableColumn, Vec<f64>) {
    let present = || cells.iter().filter(|cell| !cell.is_null());
    if present().all(Yaml::is_number) {
        let whole = present().all(|cell| cell.as_i64().is_some());
        let kind = CellType::Number { decimals: whole.then_some(0) };
        let cells = cells.iter().map(|cell| cell.as_f64().unwrap_or(f64::NAN)).collect();
        return (TableColumn::new(name, kind), cells);
    }
    if present().all(Yaml::is_bool) {
        let kind = CellType::Flag { names: ["false", "true"].map(str::to_owned) };
        let code = |cell: &Yaml| cell.as_bool().map_or(f64::NAN, |is| f64::from(u8::from(is)));
        return (TableColumn::new(name, kind), cells.iter().map(code).collect());
    }
    let (names, codes) = coded(cells.iter().map(text));
    (TableColumn::category(name, names), codes)
}

/// A cell as text; `None` for a missing one.
fn text(cell: &Yaml) -> Option<String> {
    match cell {
        Yaml::String(text) => Some(text.clone()),
        Yaml::Bool(is) => Some(is.to_string()),
        Yaml::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Different texts in the order in which they come, and the code of each; NaN where there is none.
fn coded(texts: impl Iterator<Item = Option<String>>) -> (Vec<String>, Vec<f64>) {
    let mut names = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut code = |text: Option<String>| {
        let Some(text) = text else { return f64::NAN };
        let place = *places.entry(text.clone()).or_insert_with(|| {
            names.push(text);
            names.len() - 1
        });
        place as f64
    };
    let codes = texts.map(&mut code).collect();
    (names, codes)
}

impl GivenRows {
    /// True if there are rows.
    pub fn are_given(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// The rows as conditions of a request to `model`; `name` is their key. Records are written to
    /// `folder` and read as a file of the same rows is.
    ///
    /// # Errors
    /// Those of the file's reader.
    pub fn conditions<'a>(
        &self,
        (model, name): (&Trained, &'a str),
        lengths: [Option<Tensor>; 2],
        file: &'a Path,
    ) -> Result<Option<Conditions<'a>>> {
        let (values, classes) = match self {
            Self::None => return Ok(None),
            Self::Records(table) => {
                table.write(file)?;
                return Ok(Some(Conditions::File(file)));
            }
            Self::Names(all) => {
                let (names, codes) = coded(all.iter().cloned().map(Some));
                (Tensor::from_slice(&codes).to_kind(Kind::Int64), names)
            }
            Self::Numbers { shape, values } => {
                let is_label = model.units().condition_is_label
                    && shape.len() == 1
                    && values.iter().all(|v| v.fract() == 0.0 && v.abs() < 1e15);
                let values = Tensor::from_slice(values).f_view(shape.as_slice())?;
                (if is_label { values.to_kind(Kind::Int64) } else { values }, Vec::new())
            }
        };
        Ok(Some(Conditions::rows(name, (values, classes), lengths, model)))
    }

    /// Name of a file for records: of the format that the experiment's own data source reads, and
    /// one with types if it reads several.
    pub fn file_name(model: &Trained) -> &'static str {
        const TYPED: &str = "rows.feather";
        let own = registry().find("data_source", model.experiment().data.name());
        match own {
            Ok(own)
                if !own.info.reads(Path::new(TYPED)) && own.info.reads(Path::new("rows.csv")) =>
            {
                "rows.csv"
            }
            _ => TYPED,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn read(json: &str) -> Result<GivenRows> {
        GivenRows::read(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn numbers_keep_their_shape_and_null_is_missing() {
        let GivenRows::Numbers { shape, values } = read("[[1, 2.5], [null, -3]]").unwrap() else {
            panic!("no numbers")
        };
        assert_eq!(shape, [2, 2]);
        assert_eq!((values[1], values[3]), (2.5, -3.0));
        assert!(values[2].is_nan());
    }

    #[test]
    fn records_become_columns_and_lacking_cells_are_missing() {
        let rows = r#"[{"a": 1, "b": "x"}, {"b": 2}, {"c": true, "a": 2.5}]"#;
        let GivenRows::Records(table) = read(rows).unwrap() else { panic!("no records") };
        let names: Vec<&str> = table.columns().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(table.column("a").unwrap()[2], 2.5);
        assert!(table.column("a").unwrap()[1].is_nan());
        assert_eq!(table.columns()[1].names().unwrap(), ["x", "2"]);
        assert_eq!(table.column("c").unwrap()[2], 1.0);
    }

    #[test]
    fn rows_of_another_form_are_refused_with_their_place() {
        let told = |json: &str| read(json).unwrap_err().to_string();
        assert_eq!(told("3"), "needs a list of rows, got 3");
        assert_eq!(told("[]"), "holds no rows");
        assert_eq!(told("[[]]"), "holds rows without numbers");
        assert_eq!(told("[{}]"), "holds rows without columns");
        assert_eq!(told("[[1, 2], [3]]"), "needs 2 entries as the first row has, got 1\n  at [1]");
        assert_eq!(told("[[1], [\"a\"]]"), "needs a number, got `a`\n  at [1][0]");
        assert_eq!(told("[1, [2]]"), "needs a number, got a list\n  at [1]");
        assert_eq!(
            told("[{\"a\": [1]}]"),
            "needs a number, text, true, false or null, got a list\n  at [0].a"
        );
        assert_eq!(told("[\"a\", 1]"), "needs a name, got 1\n  at [1]");
    }
}

//! Tables between Python and the library, column by column.

use crate::arrays::{Given, bytes};
use crate::errors::run;
use crate::settings::unexpected;
use crate::watch::Watch;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::path::PathBuf;
use triflow::data::Table;
use triflow::io::table::{Values, typed_columns};
use triflow::table::{CellType, TableColumn, TableRows};
use triflow::tch::{Kind, Tensor};

/// A column from Python: its name, its kind (`whole`, `real`, `flag`, `text`, or a format of times),
/// its float64 cells, NaN for a missing one, and the texts of codes.
pub type Column = (String, String, Given, Vec<String>);

/// Writes a table in the format of the path's ending.
#[pyfunction]
pub fn write_table(py: Python<'_>, path: PathBuf, columns: Vec<Column>) -> PyResult<()> {
    let mut table = Table::default();
    for (name, kind, cells, names) in columns {
        let kind = match kind.as_str() {
            "whole" => CellType::Number { decimals: Some(0) },
            "real" => CellType::Number { decimals: None },
            "flag" => CellType::Flag { names: ["false", "true"].map(str::to_owned) },
            "text" => CellType::Category { names, ordered: false },
            format if format.contains('%') => CellType::Time { format: format.to_owned() },
            other => return Err(unexpected(&format!("kind of a column: {other}"))),
        };
        let cells: Tensor = crate::arrays::tensor(&cells)?;
        let cells = Vec::<f64>::try_from(cells.to_kind(Kind::Double));
        let cells = cells.map_err(|e| unexpected(&format!("column: {e}")))?;
        table.push(TableColumn::new(name, kind), cells);
    }
    run(py, &mut Watch::new(None), |_| table.write(&path))
}

/// The columns of a table: each a name, a kind, values and, where cells are missing, a mask of those
/// that are there. Numbers are a `bytearray` of int64 or float64, flags one of bytes, days and
/// microseconds since 1970 int64, texts a list.
pub fn columns<'py>(py: Python<'py>, table: &Table) -> PyResult<Bound<'py, PyList>> {
    let values = table.values();
    let rows = TableRows { columns: table.columns(), values: &values };
    let typed = typed_columns(rows).map_err(|e| crate::errors::exception(py, &e))?;
    let all = PyList::empty(py);
    for (column, values) in table.columns().iter().zip(typed) {
        let whole = |kind, cells: Vec<Option<i64>>| one(py, kind, &cells, i64::to_le_bytes);
        let own = match values {
            Values::Whole(cells) => whole("whole", cells)?,
            Values::Time(cells) => whole("time", cells)?,
            Values::Day(cells) => {
                whole("day", cells.into_iter().map(|cell| cell.map(i64::from)).collect())?
            }
            Values::Real(cells) => {
                let cells: Vec<f64> = cells.into_iter().map(|c| c.unwrap_or(f64::NAN)).collect();
                let own = PyDict::new(py);
                own.set_item("kind", "real")?;
                own.set_item("values", bytes(py, &cells, f64::to_le_bytes)?)?;
                own
            }
            Values::Flag(cells) => {
                let cells: Vec<_> = cells.into_iter().map(|cell| cell.map(u8::from)).collect();
                one(py, "flag", &cells, |cell| [cell])?
            }
            Values::Text(cells) => {
                let own = PyDict::new(py);
                own.set_item("kind", "text")?;
                own.set_item("values", PyList::new(py, cells.iter().map(Option::as_deref))?)?;
                own
            }
        };
        own.set_item("name", &column.name)?;
        all.append(own)?;
    }
    Ok(all)
}

/// A column of numbers, with a mask where cells are missing.
fn one<'py, T: Copy + Default, const N: usize>(
    py: Python<'py>,
    kind: &str,
    cells: &[Option<T>],
    of: impl Fn(T) -> [u8; N],
) -> PyResult<Bound<'py, PyDict>> {
    let own = PyDict::new(py);
    own.set_item("kind", kind)?;
    let values: Vec<T> = cells.iter().map(|cell| cell.unwrap_or_default()).collect();
    own.set_item("values", bytes(py, &values, of)?)?;
    if cells.iter().any(Option::is_none) {
        let there: Vec<u8> = cells.iter().map(|cell| u8::from(cell.is_some())).collect();
        own.set_item("there", bytes(py, &there, |cell| [cell])?)?;
    }
    Ok(own)
}

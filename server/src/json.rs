//! Results as JSON: tables as records, arrays as nested lists. Numbers that are not finite, and
//! missing cells, are null.

use serde_json::{Value, json};
use triflow::data::Table;
use triflow::io::table::{Values, texts, typed_columns};
use triflow::io::{ArrayData, NamedArray};
use triflow::serde::Serialize;
use triflow::table::TableRows;
use triflow::{Error, Result};

/// The numbers of an array as a list.
///
/// # Errors
/// [`Error::Runtime`]: their type is none that is written.
pub fn numbers(data: &ArrayData) -> Result<Value> {
    fn list<T: Copy>(values: &[T], of: impl Fn(T) -> Value) -> Value {
        values.iter().map(|value| of(*value)).collect()
    }
    Ok(match data {
        ArrayData::F64(values) => list(values, |v| json!(v)),
        ArrayData::F32(values) => list(values, |v| json!(v)),
        ArrayData::I64(values) => list(values, |v| json!(v)),
        ArrayData::I32(values) => list(values, |v| json!(v)),
        ArrayData::I16(values) => list(values, |v| json!(v)),
        ArrayData::I8(values) => list(values, |v| json!(v)),
        ArrayData::U64(values) => list(values, |v| json!(v)),
        ArrayData::U32(values) => list(values, |v| json!(v)),
        ArrayData::U16(values) => list(values, |v| json!(v)),
        ArrayData::U8(values) => list(values, |v| json!(v)),
        ArrayData::Bool(values) => list(values, |v| json!(v)),
        other => return Err(Error::runtime(format!("an array of {} is not JSON", other.dtype()))),
    })
}

/// An object with an array under each name, and `further` texts.
///
/// # Errors
/// Those of [`numbers`].
pub fn of_arrays(arrays: &[NamedArray], further: &[(&str, Vec<String>)]) -> Result<Vec<u8>> {
    let mut out = b"{".to_vec();
    for array in arrays {
        key(&mut out, &array.name)?;
        match &array.data {
            ArrayData::F32(values) => {
                nested(&mut out, &array.shape, values, &|out, v| scalar(out, &v, v.is_finite()))?
            }
            ArrayData::F64(values) => {
                nested(&mut out, &array.shape, values, &|out, v| scalar(out, &v, v.is_finite()))?
            }
            data => {
                let Value::Array(values) = numbers(data)? else { continue };
                let places: Vec<usize> = (0..values.len()).collect();
                nested(&mut out, &array.shape, &places, &|out, i| scalar(out, &values[i], true))?;
            }
        }
    }
    for (name, texts) in further {
        key(&mut out, name)?;
        scalar(&mut out, texts, true)?;
    }
    out.push(b'}');
    Ok(out)
}

/// An object with the rows of a table as records under `rows`.
///
/// # Errors
/// Errors of the columns.
pub fn of_table(table: &Table) -> Result<Vec<u8>> {
    let cells = table.values();
    let rows = TableRows { columns: table.columns(), values: &cells };
    let n = cells.len() / table.columns().len().max(1);
    let typed = typed_columns(rows)?;
    let mut columns: Vec<Vec<Value>> = Vec::with_capacity(typed.len());
    for (column, values) in table.columns().iter().zip(typed) {
        columns.push(match values {
            Values::Whole(cells) => cells.into_iter().map(|cell| json!(cell)).collect(),
            Values::Real(cells) => cells.into_iter().map(|cell| json!(cell)).collect(),
            Values::Flag(cells) => cells.into_iter().map(|cell| json!(cell)).collect(),
            Values::Text(cells) => cells.into_iter().map(|cell| json!(cell)).collect(),
            // Dates and times as a text file has them.
            Values::Day(_) | Values::Time(_) => {
                let own = table.column(&column.name).unwrap_or_default().iter().copied();
                let text = |text: String| if text.is_empty() { Value::Null } else { json!(text) };
                texts(column, own)?.into_iter().map(text).collect()
            }
        });
    }
    let mut out = b"{\"rows\":[".to_vec();
    for i in 0..n {
        out.extend(if i == 0 { &b"{"[..] } else { b",{" });
        for (column, cells) in table.columns().iter().zip(&columns) {
            key(&mut out, &column.name)?;
            scalar(&mut out, &cells[i], true)?;
        }
        out.push(b'}');
    }
    out.extend(b"]}");
    Ok(out)
}

/// Appends a key, behind a comma where it is not the first.
fn key(out: &mut Vec<u8>, name: &str) -> Result<()> {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    scalar(out, name, true)?;
    out.push(b':');
    Ok(())
}

/// Appends a value, or null if it `is` none.
fn scalar<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T, is: bool) -> Result<()> {
    match is {
        true => serde_json::to_writer(out, value).map_err(|e| Error::runtime(e.to_string())),
        false => {
            out.extend(b"null");
            Ok(())
        }
    }
}

/// Appends values of a shape as nested lists.
fn nested<T: Copy>(
    out: &mut Vec<u8>,
    shape: &[usize],
    values: &[T],
    one: &dyn Fn(&mut Vec<u8>, T) -> Result<()>,
) -> Result<()> {
    let [n, rest @ ..] = shape else {
        return values.first().map_or(Ok(()), |value| one(out, *value));
    };
    out.push(b'[');
    let width = values.len().checked_div(*n).unwrap_or(0);
    for i in 0..*n {
        if i > 0 {
            out.push(b',');
        }
        nested(out, rest, &values[i * width..(i + 1) * width], one)?;
    }
    out.push(b']');
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use triflow::table::{CellType, TableColumn};

    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn arrays_are_nested_lists_with_the_digits_of_their_precision() {
        let arrays = [
            NamedArray::new("a", vec![2, 2], vec![0.1_f32, f32::NAN, 1.0, -2.5]).unwrap(),
            NamedArray::new("b", vec![2], vec![7_i64, 8]).unwrap(),
            NamedArray::new("c", vec![0, 3], Vec::<f64>::new()).unwrap(),
            NamedArray::new("d", vec![], vec![0.25_f64]).unwrap(),
        ];
        let text = of_arrays(&arrays, &[("classes", vec!["x\"y".to_owned()])]).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"a":[[0.1,null],[1.0,-2.5]],"b":[7,8],"c":[],"d":0.25,"classes":["x\"y"]}"#
        );
    }

    #[test]
    fn a_table_is_records_of_its_types() {
        let mut table = Table::default();
        table.push(TableColumn::new("n", CellType::Number { decimals: Some(0) }), vec![1.0, 2.0]);
        table.push(TableColumn::category("k", vec!["p".into(), "q".into()]), vec![1.0, f64::NAN]);
        let day = CellType::Time { format: "%Y-%m-%d".into() };
        table.push(TableColumn::new("d", day), vec![86_400.0, f64::NAN]);
        assert_eq!(
            parsed(&of_table(&table).unwrap()),
            json!({"rows": [{"n": 1, "k": "q", "d": "1970-01-02"}, {"n": 2, "k": null, "d": null}]})
        );
    }
}

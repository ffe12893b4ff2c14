//! Tables of the golden file, which `tests/golden/make/tables.py` makes.

use crate::table::{CellType, TableColumn, TableRows};
use serde_json::Value;

pub struct Case {
    pub name: String,
    pub expected: Value,
    columns: Vec<TableColumn>,
    sides: [Vec<f64>; 3],
}

impl Case {
    pub fn real(&self) -> TableRows<'_> {
        TableRows { columns: &self.columns, values: &self.sides[0] }
    }

    pub fn generated(&self) -> TableRows<'_> {
        TableRows { columns: &self.columns, values: &self.sides[1] }
    }

    pub fn train(&self) -> TableRows<'_> {
        TableRows { columns: &self.columns, values: &self.sides[2] }
    }
}

pub fn cases() -> Vec<Case> {
    let golden: Value =
        serde_json::from_str(include_str!("../../../../../tests/golden/tables.json")).unwrap();
    golden["cases"].as_array().unwrap().iter().map(case).collect()
}

fn case(case: &Value) -> Case {
    let columns = case["columns"].as_array().unwrap().iter().map(column).collect();
    let sides = ["real", "generated", "train"].map(|side| numbers(&case[side]));
    let name = case["name"].as_str().unwrap().to_owned();
    Case { name, expected: case["expected"].clone(), columns, sides }
}

fn column(column: &Value) -> TableColumn {
    let names = |at: usize| column["names"][at].as_str().unwrap().to_owned();
    let kind = match column["type"].as_str().unwrap() {
        "number" => CellType::Number { decimals: None },
        "time" => CellType::Time { format: "%Y-%m-%d".to_owned() },
        "flag" => CellType::Flag { names: [names(0), names(1)] },
        _ => {
            let count = column["names"].as_array().unwrap().len();
            CellType::Category { names: (0..count).map(names).collect(), ordered: false }
        }
    };
    TableColumn { missing: true, ..TableColumn::new(column["name"].as_str().unwrap(), kind) }
}

/// Numbers of an array of any depth; null is a missing cell.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap_or(f64::NAN)],
    }
}

/// Scores of columns or pairs, null where they are not defined.
pub fn column_scores(value: &Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(Value::as_f64).collect()
}

#[track_caller]
pub fn close(what: &str, found: Option<f64>, expected: Option<f64>) {
    let agree = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-6,
        (found, expected) => found == expected,
    };
    assert!(agree, "{what}: {found:?}, expected {expected:?}");
}

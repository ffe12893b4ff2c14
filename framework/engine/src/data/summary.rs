//! Summary of the data for the log and for `manifest.json`: shapes, columns, classes, sizes and
//! peculiarities.

use crate::component::{Columns, Part};
use crate::table::names_of;
use serde::Serialize;
use std::fmt;
use tch::{Kind, Tensor};

/// Ratio of column scales above which they are reported.
const UNEVEN: f64 = 10.0;
/// Largest number of names or classes in a line.
const SHOWN: usize = 8;

/// Summary of the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DataSummary {
    /// Summary of x; `None` if the source has no x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<SideSummary>,
    /// Summary of y; `None` if the source has no y.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<SideSummary>,
    /// The classes of y by label, if it holds labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// Numbers of rows.
    pub rows: Sizes,
}

/// Numbers of rows of each set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Training rows.
    pub train: i64,
    /// Validation rows.
    pub val: i64,
    /// Test rows.
    pub test: i64,
}

/// A class and its numbers of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// Name of the class, or its number.
    pub name: String,
    /// Numbers of rows of the class.
    pub rows: Sizes,
}

/// Summary of one side of the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SideSummary {
    /// Type of the values: `numbers`, `bytes` or `labels`.
    pub values: &'static str,
    /// Shape of one row.
    pub shape: Vec<i64>,
    /// Meaning of the axes of a row, such as `channels`; empty if it is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<&'static str>,
    /// Names of the columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Columns that do not vary in the training rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constant: Vec<String>,
    /// Smallest and largest standard deviation of a column, if they differ more than tenfold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scales: Option<[Spread; 2]>,
}

/// The standard deviation of a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The column.
    pub column: String,
    /// Standard deviation of the column over the training rows, in the data's own units.
    pub deviation: f64,
}

impl DataSummary {
    /// Summary of training, validation and test; `classes` is the number of labels, and `sequences`
    /// is true if the task takes rows as sequences. It has no scales yet.
    pub(super) fn new(tables: [&Columns; 3], classes: Option<i64>, sequences: bool) -> Self {
        let side = |part: Part| -> Option<SideSummary> {
            let (kind, shape) = tables[0].layout(part)?;
            let shape = shape[1..].to_vec();
            let (values, axes) = match (kind, shape.len()) {
                (Kind::Int64, 0) => ("labels", vec![]),
                (Kind::Uint8, 3) => ("bytes", vec!["channels", "height", "width"]),
                (_, 0) if sequences => ("numbers", vec!["positions"]),
                (_, 1) if sequences => ("numbers", vec!["positions"]),
                (_, 2) if sequences => ("numbers", vec!["positions", "features"]),
                (_, 3) => ("numbers", vec!["channels", "height", "width"]),
                _ => ("numbers", vec![]),
            };
            let columns = match part {
                Part::X => &tables[0].x_columns,
                Part::Y => &tables[0].y_columns,
            };
            Some(SideSummary {
                values,
                shape,
                axes,
                columns: names_of(columns),
                ..SideSummary::default()
            })
        };
        let class_counts = |table: &Columns| -> Vec<i64> {
            let y = table.y.as_ref().filter(|y| y.kind() == Kind::Int64 && y.dim() == 1);
            let counts = y.map(|y| y.bincount(None::<&Tensor>, classes.unwrap_or(0)));
            counts.and_then(|counts| Vec::try_from(counts).ok()).unwrap_or_default()
        };
        let counts = tables.map(class_counts);
        let count = |set: usize, class: usize| counts[set].get(class).copied().unwrap_or(0);
        let class = |i: usize| Class {
            name: tables[0].classes.get(i).cloned().unwrap_or_else(|| i.to_string()),
            rows: Sizes { train: count(0, i), val: count(1, i), test: count(2, i) },
        };
        let rows = tables.map(|table| {
            let rows = |part| table.layout(part).and_then(|(_, shape)| shape.first().copied());
            rows(Part::X).or(rows(Part::Y)).unwrap_or(0)
        });
        Self {
            x: side(Part::X),
            y: side(Part::Y),
            classes: (0..classes.unwrap_or(0) as usize).map(class).collect(),
            rows: Sizes { train: rows[0], val: rows[1], test: rows[2] },
        }
    }

    /// Adds the standard deviations of the columns of a side, or of those called `names`.
    pub(super) fn set_deviations(
        &mut self,
        part: Part,
        names: Option<Vec<String>>,
        deviation: &Tensor,
    ) {
        let side = match part {
            Part::X => &mut self.x,
            Part::Y => &mut self.y,
        };
        let (Some(side), Ok(all)) = (side, Vec::<f64>::try_from(deviation.reshape([-1]))) else {
            return;
        };
        let single = all.len() == 1;
        let columns = names.unwrap_or_else(|| side.columns.clone());
        let name = |i: usize| match columns.get(i) {
            Some(name) => name.clone(),
            None if single => part.to_string(),
            None => format!("{part}[{i}]"),
        };
        side.constant = (0..all.len()).filter(|i| all[*i] == 0.0).map(name).collect();
        let mut varying: Vec<usize> = (0..all.len()).filter(|i| all[*i] > 0.0).collect();
        varying.sort_by(|a, b| all[*a].total_cmp(&all[*b]));
        let scale = |i: &usize| Spread { column: name(*i), deviation: all[*i] };
        side.scales = match (varying.first(), varying.last()) {
            (Some(least), Some(most)) if all[*most] > UNEVEN * all[*least] => {
                Some([scale(least), scale(most)])
            }
            _ => None,
        };
    }

    /// The sides that the data have, with their names.
    fn sides(&self) -> impl Iterator<Item = (&'static str, &SideSummary)> {
        let all = [("x", &self.x), ("y", &self.y)];
        all.into_iter().filter_map(|(name, side)| Some((name, side.as_ref()?)))
    }

    /// A sentence for each side whose columns have different scales.
    pub(super) fn uneven(&self) -> Vec<String> {
        let text = |(name, side): (&str, &SideSummary)| {
            let [least, most] = side.scales.as_ref()?;
            Some(format!(
                "the scales of {name} differ {:.0}-fold (deviation {} of `{}`, {} of `{}`)",
                most.deviation / least.deviation,
                number(least.deviation),
                least.column,
                number(most.deviation),
                most.column
            ))
        };
        self.sides().filter_map(text).collect()
    }
}

/// A number that is displayed with three significant digits whatever its size.
struct Number(f64);

fn number(value: f64) -> Number {
    Number(value)
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        match value.abs() {
            size if (1e-3..1e6).contains(&size) => {
                let digits = (2.0 - size.log10().floor()).max(0.0) as usize;
                write!(f, "{value:.digits$}")
            }
            _ => write!(f, "{value:.2e}"),
        }
    }
}

/// Joins the first texts of a list, and adds the number of the others.
fn abbreviated(all: impl ExactSizeIterator<Item = String>) -> String {
    let n = all.len();
    let mut shown: Vec<String> = all.take(SHOWN).collect();
    if n > SHOWN {
        shown.push(format!("… {} more", n - SHOWN));
    }
    shown.join(", ")
}

impl fmt::Display for SideSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.shape[..], self.axes.is_empty()) {
            ([], true) => write!(f, "one number for each row")?,
            ([1], true) => write!(f, "1 column")?,
            ([n], true) => write!(f, "{n} columns")?,
            (shape, _) => {
                write!(f, "{shape:?}")?;
                if !self.axes.is_empty() {
                    write!(f, " ({})", self.axes.join(", "))?;
                }
                if self.values == "bytes" {
                    write!(f, " of bytes")?;
                }
            }
        }
        if !self.columns.is_empty() {
            write!(f, " ({})", abbreviated(self.columns.iter().cloned()))?;
        }
        Ok(())
    }
}

impl fmt::Display for DataSummary {
    /// Writes the summary in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, side) in self.sides() {
            if side.values == "labels" {
                let classes = self.classes.iter();
                let text =
                    |c: &Class| format!("{} × {}", c.rows.train + c.rows.val + c.rows.test, c.name);
                let (n, list) = (classes.len(), abbreviated(classes.map(text)));
                write!(f, "{name}: {n} classes ({list}); ")?;
            } else {
                write!(f, "{name}: {side}; ")?;
            }
        }
        let Sizes { train, val, test } = self.rows;
        write!(f, "{train} rows for training, {val} for validation, {test} for test")?;
        for (_, side) in self.sides().filter(|(_, side)| !side.constant.is_empty()) {
            write!(f, "; constant: {}", abbreviated(side.constant.iter().cloned()))?;
        }
        for uneven in self.uneven() {
            write!(f, "; {uneven}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(x: &[f32], width: i64, y: &[i64]) -> Columns {
        Columns {
            x: Some(Tensor::from_slice(x).view([-1, width])),
            y: Some(Tensor::from_slice(y)),
            x_columns: ["age", "one", "mass"].map(crate::table::TableColumn::number).to_vec(),
            classes: ["ada", "bel"].map(str::to_owned).to_vec(),
            ..Columns::default()
        }
    }

    #[test]
    fn shapes_columns_classes_sizes_and_scales_are_said_in_a_line() {
        let train = table(&[0.0, 1.0, 5.0, 0.5, 1.0, 900.0], 3, &[0, 1]);
        let (val, test) = (table(&[0.0; 3], 3, &[1]), table(&[], 3, &[]));
        let mut summary = DataSummary::new([&train, &val, &test], Some(2), false);
        summary.set_deviations(Part::X, None, &Tensor::from_slice(&[0.25, 0.0, 447.5]));
        assert_eq!(
            summary.to_string(),
            "x: 3 columns (age, one, mass); y: 2 classes (1 × ada, 2 × bel); 2 rows for training, \
             1 for validation, 0 for test; constant: one; the scales of x differ 1790-fold \
             (deviation 0.250 of `age`, 448 of `mass`)"
        );
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["x"]["constant"], serde_json::json!(["one"]));
        assert_eq!(
            json["classes"][1]["rows"],
            serde_json::json!({ "train": 1, "val": 1, "test": 0 })
        );
        summary.set_deviations(Part::X, None, &Tensor::from_slice(&[1.0, 2.0, 9.9]));
        let x = summary.x.unwrap();
        assert!(x.constant.is_empty() && x.scales.is_none());
    }

    #[test]
    fn axes_are_named_where_they_are_known_and_long_lists_are_cut() {
        let images = Tensor::zeros([2, 1, 4, 5], (Kind::Uint8, tch::Device::Cpu));
        let train = Columns {
            x: Some(images),
            y: Some(Tensor::arange(2, (Kind::Int64, tch::Device::Cpu))),
            ..Columns::default()
        };
        let none = Columns::default();
        let text = DataSummary::new([&train, &none, &none], Some(12), false).to_string();
        assert!(
            text.starts_with(
                "x: [1, 4, 5] (channels, height, width) of bytes; y: 12 classes (1 × 0, 1 × 1, "
            ),
            "{text}"
        );
        assert!(text.contains(", … 4 more)"), "{text}");
    }
}

use super::tables::{is_shown, table, table_of, training};
use super::{DRAWN, caption};
use crate::data::{Data, HeldOut};
use crate::error::Result;
use crate::measure::{draw_rows, how};
use crate::plot::TableView;
use crate::rng::{Purpose, stream_seed};
use crate::table::{TableColumn, TableRows};
use crate::trained::Trained;
use serde::{Deserialize, Serialize};

/// Number of held-out rows from which pictures show these in place of training rows.
const ENOUGH: i64 = 500;

/// Real rows of a table and generated ones under the same conditions, for pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SampledRows {
    /// The columns.
    pub columns: Vec<TableColumn>,
    /// True for each column that generated rows were given, as a condition.
    pub given: Vec<bool>,
    /// Name of the set of the real rows, such as `test`.
    pub set: String,
    /// Description of how the rows were generated.
    pub how: String,
    /// Cells of the real rows, row by row: numbers, codes of categories, seconds since 1970-01-01;
    /// NaN, null in JSON, for a missing cell.
    #[serde(with = "cells")]
    pub real: Vec<f64>,
    /// Cells of the generated rows.
    #[serde(with = "cells")]
    pub generated: Vec<f64>,
}

impl SampledRows {
    /// Draws rows of a model; `None` if its samples are not shown as rows of a table.
    ///
    /// # Errors
    /// Those of sampling, and of the conversion to the data's own units.
    pub(crate) fn of(model: &mut Trained, data: &Data) -> Result<Option<Self>> {
        is_shown(model).then(|| Self::draw(model, data)).transpose()
    }

    /// Draws rows under the conditions of held-out rows, or of training rows if few are held out.
    pub(super) fn draw(model: &mut Trained, data: &Data) -> Result<Self> {
        let HeldOut { name, rows, .. } = data.held_out(DRAWN)?;
        let (set, rows) = match rows.len() {
            ENOUGH.. => (name, rows),
            _ => ("training".to_owned(), training(data, DRAWN)?),
        };
        let seed = stream_seed(model.experiment().seed(), Purpose::Report, 1);
        let (sampled, values) = draw_rows(model, &rows, Some((seed, 0)))?;
        let condition = rows.condition.as_ref().map(|c| model.units().condition.undo(c));
        let generated = table(model, &values, condition.as_ref())?;
        let real = table_of(model, &rows)?;
        let targets = &model.units().names.target;
        let is_given = |column: &TableColumn| targets.iter().all(|own| own.name != column.name);
        Ok(Self {
            columns: real.columns().to_vec(),
            given: real.columns().iter().map(is_given).collect(),
            set,
            how: caption(&how(model, &sampled, rows.len(), Some(model.experiment().seed()))),
            real: real.values(),
            generated: generated.values(),
        })
    }

    /// The rows for a picture of what is called `name`.
    pub(crate) fn view(&self, name: &str) -> TableView<'_> {
        let rows = |values| TableRows { columns: &self.columns, values };
        TableView {
            title: format!("{name}: generated beside {} data", self.set),
            subtitle: self.how.clone(),
            sides: ["real", "generated"].map(str::to_owned),
            real: rows(&self.real),
            generated: rows(&self.generated),
            given: self.given.clone(),
        }
    }
}

/// Cells in JSON: null for a missing cell, and nine digits of other numbers, more than a picture
/// can show.
mod cells {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(cells: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        let brief = |cell: f64| match cell.fract() {
            0.0 => cell,
            _ => format!("{cell:.8e}").parse().unwrap_or(cell),
        };
        serializer.collect_seq(cells.iter().map(|cell| cell.is_finite().then(|| brief(*cell))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let cells = Vec::<Option<f64>>::deserialize(deserializer)?;
        Ok(cells.into_iter().map(|cell| cell.unwrap_or(f64::NAN)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_are_written() {
        let rows = SampledRows {
            columns: vec![TableColumn::number("mass"), TableColumn::number("seen")],
            given: vec![false, true],
            real: vec![39.099_998_474_121_094, 1_700_000_001.0, f64::NAN, -0.5],
            ..SampledRows::default()
        };
        let text = serde_json::to_string(&rows).unwrap();
        assert!(text.contains("[39.0999985,1700000001.0,null,-0.5]"), "{text}");
        let back: SampledRows = serde_json::from_str(&text).unwrap();
        assert_eq!((&back.columns, &back.given), (&rows.columns, &rows.given));
        assert!((back.real[0] - rows.real[0]).abs() < 1e-6 && back.real[2].is_nan());
        assert_eq!(back.real[1], rows.real[1]);
    }
}

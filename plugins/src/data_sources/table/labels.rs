//! Class labels from a column of y.

use super::ColumnType;
use super::cells::{is_empty, is_number};
use super::rows::Reading;
use triflow::io::table::{Cells, Column, TypeWish, infer};
use triflow::prelude::*;
use triflow::table::Storage;

/// Largest class label: whole numbers above it are not exact in float64.
const MAX_LABEL: f64 = 9e15;
/// Class labels, `None` where one is missing, the names of their classes unless they are whole
/// numbers, and their type in files with types.
pub(super) type Labels = (Vec<Option<i64>>, Vec<String>, Storage);

impl Reading<'_> {
    /// True if y are class labels.
    pub(super) fn is_label(&self, y: &[(usize, Column)]) -> Result<bool> {
        let [(place, column)] = y else {
            if self.spec.labels == Some(true) && !y.is_empty() {
                let message = format!("class labels need one column of y, got {}", y.len());
                return Err(Error::config("labels", message));
            }
            return Ok(false);
        };
        if let Some(given) = self.spec.labels {
            return Ok(given);
        }
        if column.name == "label" {
            return Ok(true);
        }
        // A word among numbers may be a mistake.
        if let Cells::Texts { texts, .. } = &column.cells
            && self.options(*place).kind.is_none()
            && texts.iter().any(|text| is_number(text))
            && !(self.source.is_typed && texts.iter().all(|text| is_number(text)))
        {
            return Err(self.not_a_number(*place));
        }
        if self.source.is_typed {
            let kind = self.options(*place).kind;
            return Ok(match (kind, &column.cells) {
                (Some(kind), _) => matches!(kind, ColumnType::Category | ColumnType::Flag),
                (None, Cells::Texts { .. } | Cells::Many) => true,
                (None, Cells::Times { .. }) => false,
                (None, Cells::Numbers { .. }) => {
                    infer(column.clone(), None).is_ok_and(|typed| typed.column.names().is_some())
                }
            });
        }
        Ok(!matches!(column.cells, Cells::Numbers { .. }) || is_empty(column))
    }

    pub(super) fn not_a_number(&self, place: usize) -> Error {
        match self.file.find(place, false, &mut |cell| !is_number(cell)) {
            Ok(found) => {
                let (place, cell) = found.unwrap_or_default();
                let message = format!(
                    "{place}: `{cell}` is not a number; if y holds class labels, set \
                     data.labels=true"
                );
                Error::data(self.file.path(), message)
            }
            Err(e) => e,
        }
    }

    /// The class labels of a column.
    pub(super) fn labels(&self, place: usize, column: Column) -> Result<Labels> {
        let wrong = |what: String| {
            Error::data(self.file.path(), format!("{}{what}", self.file.called(place)))
        };
        let wish = self.options(place).wish();
        let mut by_name = false;
        if let Cells::Numbers { values, decimals } = &column.cells {
            let is_bad = |v: &f64| !v.is_nan() && (v.fract() != 0.0 || v.abs() > MAX_LABEL);
            if let Some(row) = values.iter().position(is_bad) {
                return Err(wrong(format!(
                    ": {} holds {}, which is not a class label: class \
                     labels are whole numbers or texts; set data.labels=false to read numbers",
                    self.file.place(row)?,
                    values[row]
                )));
            }
            // Names keep the digits of labels such as 1.0.
            by_name = decimals.is_some_and(|digits| digits > 0);
            if !by_name {
                let label = |v: &f64| (!v.is_nan()).then_some(*v as i64);
                let storage = match column.storage {
                    Storage::Plain => Storage::WHOLE,
                    storage => storage,
                };
                return Ok((values.iter().map(label).collect(), Vec::new(), storage));
            }
        }
        let is_given = by_name || self.spec.labels == Some(true) || !self.source.is_typed;
        let wish = match wish {
            Some(wish @ TypeWish::Category { .. }) => Some(wish),
            _ if is_given => Some(TypeWish::Category { order: Vec::new() }),
            _ => None,
        };
        let typed = infer(column, wish.as_ref()).map_err(|what| wrong(format!(" {what}")))?;
        let names = typed.column.names().map(<[String]>::to_vec).unwrap_or_default();
        let label = |code: &f64| (!code.is_nan()).then_some(*code as i64);
        Ok((typed.values.iter().map(label).collect(), names, typed.column.storage))
    }
}

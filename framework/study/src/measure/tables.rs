//! Rows of a table in the data's own units, for metrics of tables.

use super::draw::labels;
use crate::component::{MetricColumns, Tables};
use crate::data::{Batch, Units};
use crate::error::Result;
use crate::table::{TableColumn, TableRows, width_of};
use tch::{Device, Kind, Tensor};

/// The columns of a model's data: those of the target, followed by those of the condition.
#[derive(Debug)]
pub(super) struct Schema {
    columns: Vec<TableColumn>,
    /// Number of the target's columns.
    generated: usize,
}

impl Schema {
    /// The columns of a model's data; `None` if a target is no row of named columns. A condition
    /// without names is left out.
    pub fn of(units: &Units) -> Option<Self> {
        let names = &units.names;
        let fits = |columns: &[TableColumn], shape: &[i64]| {
            !columns.is_empty() && shape == [width_of(columns)]
        };
        if units.target_is_label || !fits(&names.target, &units.shapes.target) {
            return None;
        }
        let mut columns = names.target.clone();
        match &units.shapes.condition {
            Some(shape) if units.condition_is_label => columns.extend(label_column(units, shape)),
            Some(shape) if fits(&names.condition, shape) => columns.extend(names.condition.clone()),
            _ => {}
        }
        Some(Self { generated: names.target.len(), columns })
    }

    /// Cells of rows, whose targets `[n, …]` in the data's own units stand beside the conditions of
    /// `rows`.
    pub fn cells(&self, units: &Units, targets: &Tensor, rows: &Batch) -> Result<Vec<f64>> {
        let mut sides = vec![units.table(targets)];
        if let Some(condition) = rows.condition.as_ref().filter(|_| self.has_condition()) {
            sides.push(match units.condition_is_label {
                true => {
                    let labels: Vec<f64> =
                        labels(condition)?.into_iter().map(|l| l as f64).collect();
                    Tensor::from_slice(&labels).unsqueeze(1)
                }
                false => units.condition_table(&units.condition.undo(condition)),
            });
        }
        let sides = sides.iter().map(|side| side.to_device(Device::Cpu).to_kind(Kind::Double));
        let table = Tensor::cat(&sides.collect::<Vec<_>>(), 1);
        Ok(Vec::try_from(table.contiguous().view([-1]))?)
    }

    /// Cells of normalised rows.
    pub fn own_cells(&self, units: &Units, rows: &Batch) -> Result<Vec<f64>> {
        self.cells(units, &units.target.undo(&rows.target), rows)
    }

    /// The columns as a metric is told them when it is built.
    pub fn into_columns(self) -> MetricColumns {
        MetricColumns { columns: self.columns, generated: self.generated }
    }

    fn has_condition(&self) -> bool {
        self.columns.len() > self.generated
    }
}

/// Held-out and training rows of a table, which generated ones are compared with.
#[derive(Debug)]
pub(super) struct RealRows<'a> {
    schema: &'a Schema,
    held_out: Vec<f64>,
    train: Option<&'a [f64]>,
}

impl<'a> RealRows<'a> {
    /// The held-out `rows`, beside the cells of training rows; `None` without a table.
    pub fn new(
        schema: Option<&'a Schema>,
        units: &Units,
        rows: &Batch,
        train: Option<&'a [f64]>,
    ) -> Result<Option<Self>> {
        let held_out = schema.map(|schema| schema.own_cells(units, rows)).transpose()?;
        Ok(schema.zip(held_out).map(|(schema, held_out)| Self { schema, held_out, train }))
    }

    /// The input of metrics, for generated rows of these cells.
    pub fn beside(&'a self, generated: &'a [f64]) -> Tables<'a> {
        let rows = |values| TableRows { columns: &self.schema.columns, values };
        Tables {
            generated: rows(generated),
            held_out: rows(&self.held_out),
            train: self.train.map(rows),
            generated_columns: self.schema.generated,
        }
    }

    /// The input of metrics, with the held-out rows in place of generated ones.
    pub fn beside_themselves(&'a self) -> Tables<'a> {
        self.beside(&self.held_out)
    }
}

/// The column of a condition that is a label.
fn label_column(units: &Units, shape: &[i64]) -> Option<TableColumn> {
    let count = *shape.first()?;
    let names = match &units.names.classes[..] {
        [] => (0..count).map(|label| label.to_string()).collect(),
        names => names.to_vec(),
    };
    let name = units.names.condition.first().map_or("label", |column| &column.name);
    Some(TableColumn::category(name, names))
}

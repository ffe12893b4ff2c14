//! Missing cells of a table, drawn given the others.

use super::origin::conditions_of;
use super::{Begin, counted};
use crate::component::Part;
use crate::data::Table;
use crate::data::files::{read_incomplete, read_whole};
use crate::error::Result;
use crate::rng::Streams;
use crate::table::TableColumn;
use crate::trained::Trained;
use std::path::Path;
use tch::{Device, Tensor};

/// A request for the missing cells of a table.
#[derive(Clone, Copy, Debug)]
pub struct ImputeRequest<'a> {
    /// The table.
    pub data: &'a Path,
    /// Number of draws. With several, cells are means or the most frequent categories, beside their
    /// spread.
    pub draws: u64,
    /// Seed of z_0; `None`: the run's.
    pub seed: Option<u64>,
    /// True to keep the cells of the file as its texts, false as values of their types.
    pub texts: bool,
}

/// A table without missing cells.
#[derive(Debug)]
pub struct Filled {
    /// The table.
    pub table: Table,
    /// Number of cells that were missing.
    pub cells: usize,
    /// Number of rows.
    pub rows: i64,
}

/// Fills in the missing cells of a table. Known cells stay as they are, and so do columns that the
/// model does not use; rows keep their order.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config): the model was not trained for it.
/// [`Error::Data`](crate::Error::Data): the file cannot be read,
/// or a row has no condition.
pub fn impute(
    model: &mut Trained,
    request: ImputeRequest<'_>,
    begin: &mut Begin<'_>,
) -> Result<Filled> {
    let ImputeRequest { data, draws, seed, texts } = request;
    model.fills_in()?;
    let (learned, from) = match model.experiment().task().learns_y() {
        true => (Part::Y, Part::X),
        false => (Part::X, Part::Y),
    };
    let mut table = read_incomplete(model.experiment(), data, learned)?;
    let read = Table::of(&table)?;
    let file = read_whole(model.experiment(), data, texts)?;
    let file = file.as_ref().map(Table::of).transpose()?;
    let rows = table.layout(learned).map_or(0, |(_, shape)| shape[0]);
    if model.units().shapes.condition.is_some() {
        let help = "fill in the conditions first";
        let conditions = conditions_of(model, data, from, rows, help)?;
        (table.y, table.y_columns, table.classes) =
            (conditions.y, conditions.y_columns, conditions.classes);
    }
    let conditions = model.units().align(table.rows(&every(rows)), model.experiment())?.y;
    let conditions = conditions.filter(|_| model.units().shapes.condition.is_some());
    let streams = Streams::new(seed.unwrap_or_else(|| model.experiment().seed()), 0);
    begin(model, rows * draws as i64, "rows");
    let imputed = model.impute(table, draws, &streams)?;
    let filled = |cells: &Tensor| match &file {
        Some(file) => file.clone().filled(&read, &whole(model, cells, None)?),
        None => whole(model, cells, conditions.as_ref()),
    };
    let table = match draws {
        1 => filled(&imputed.draws[0])?,
        _ => {
            let columns = match &model.units().names.target[..] {
                [] => whole(model, &imputed.draws[0], None)?.columns().to_vec(),
                columns => columns.to_vec(),
            };
            let (cells, spread) = imputed.summary(&columns);
            filled(&cells)?.beside(spreads(&columns, &spread, &read)?)
        }
    };
    let names = read.columns().iter().map(|column| column.name.as_str());
    let cells = names.map(|name| gaps(&read, name).filter(|gap| *gap).count()).sum();
    Ok(Filled { table, cells, rows })
}

/// True for each missing cell of a column.
fn gaps<'t>(table: &'t Table, column: &str) -> impl Iterator<Item = bool> + 't {
    table.column(column).unwrap_or_default().iter().map(|cell| cell.is_nan())
}

/// Numbers of all of `n` rows.
fn every(n: i64) -> Vec<i64> {
    (0..n).collect()
}

/// The table of cells `[n, columns]` and their conditions.
fn whole(model: &Trained, cells: &Tensor, conditions: Option<&Tensor>) -> Result<Table> {
    model.units().samples(cells, conditions, model.experiment().task().learns_y())
}

/// The spread of the missing cells of each column that has some; `read` are the columns of the
/// file.
fn spreads(columns: &[TableColumn], spread: &Tensor, read: &Table) -> Result<Table> {
    let mut table = Table::default();
    for (column, i) in columns.iter().zip(0..) {
        let gaps: Vec<bool> = gaps(read, &column.name).collect();
        if !gaps.contains(&true) {
            continue;
        }
        let what = if column.names().is_some() { "others" } else { "std" };
        let name = format!("{}_{what}", column.name);
        let all = Vec::<f64>::try_from(spread.select(1, i).to_device(Device::Cpu))?;
        let cells = all.into_iter().zip(gaps).map(|(cell, gap)| if gap { cell } else { f64::NAN });
        table.push(TableColumn { missing: true, ..TableColumn::number(name) }, cells.collect());
    }
    Ok(table)
}

/// Description of the cells for readers.
impl std::fmt::Display for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (cells, rows) = (counted(self.cells as i64, "cell"), counted(self.rows, "row"));
        write!(f, "{cells}, filled in, in the {rows}")
    }
}

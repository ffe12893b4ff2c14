//! `impute`: missing cells of a table, drawn given the others.

use super::counted;
use super::outputs::check_out;
use super::sampling::{load, show_progress};
use crate::args::SamplingArgs;
use std::path::Path;
use triflow::component::Part;
use triflow::data::Table;
use triflow::data::files::{read_columns, read_incomplete};
use triflow::rng::Streams;
use triflow::table::TableColumn;
use triflow::tch::{Kind, Tensor};
use triflow::{Error, Result, Trained};

/// Writes the rows of `data` with their missing cells filled in.
pub fn impute(
    run: &Path,
    data: &Path,
    draws: u64,
    sampling: &SamplingArgs,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    check_out(out)?;
    let (_, mut model) = load(run, sampling)?;
    model.fills_in()?;
    let _threads = model.threads();
    let (learned, from) = match model.experiment().task().learns_y() {
        true => (Part::Y, Part::X),
        false => (Part::X, Part::Y),
    };
    let mut table = read_incomplete(model.experiment(), data, learned)?;
    let n = table.layout(learned).map_or(0, |(_, shape)| shape[0]);
    if model.units().shapes.condition.is_some() {
        let conditions = read_columns(model.experiment(), data, &[from])?;
        let given = conditions.layout(from).map_or(0, |(_, shape)| shape[0]);
        if given != n {
            let message = format!("{given} of {n} rows have a condition");
            return Err(Error::data(data, message).help("fill in the conditions first"));
        }
        (table.y, table.y_columns, table.classes) =
            (conditions.y, conditions.y_columns, conditions.classes);
    }
    let conditions = model.units().align(table.rows(&every(n)), model.experiment())?.y;
    let conditions = conditions.filter(|_| model.units().shapes.condition.is_some());
    let streams = Streams::new(sampling.seed.unwrap_or_else(|| model.experiment().seed()), 0);
    show_progress(&mut model, quiet, n * draws as i64, "rows");
    let imputed = model.impute(table, draws, &streams)?;
    let count = |cells: &Tensor| cells.sum(Kind::Int64).int64_value(&[]);
    let filled = count(&imputed.missing);
    let columns = model.units().names.target.clone();
    let full = match draws {
        1 => whole(&model, &imputed.draws[0], conditions.as_ref())?,
        _ => {
            let (cells, spread) = imputed.summary(&columns);
            let own = whole(&model, &cells, conditions.as_ref())?;
            own.beside(spreads(&columns, &spread, &imputed.missing)?)
        }
    };
    full.write(out)?;
    let rows = counted(n, "row");
    println!("{}, filled in, in the {rows} of {}", counted(filled, "cell"), out.display());
    Ok(())
}

/// Numbers of all of `n` rows.
fn every(n: i64) -> Vec<i64> {
    (0..n).collect()
}

/// The table of cells `[n, columns]` and their conditions.
fn whole(model: &Trained, cells: &Tensor, conditions: Option<&Tensor>) -> Result<Table> {
    model.units().samples(cells, conditions, model.experiment().task().learns_y())
}

/// The spread of the cells of each column in which one was missing.
fn spreads(columns: &[TableColumn], spread: &Tensor, missing: &Tensor) -> Result<Table> {
    let mut table = Table::default();
    for (column, i) in columns.iter().zip(0..) {
        if missing.select(1, i).any().int64_value(&[]) == 0 {
            continue;
        }
        let what = if column.names().is_some() { "others" } else { "std" };
        let name = format!("{}_{what}", column.name);
        let cells = Vec::try_from(spread.select(1, i).to_device(triflow::tch::Device::Cpu))?;
        table.push(TableColumn { missing: true, ..TableColumn::number(name) }, cells);
    }
    Ok(table)
}

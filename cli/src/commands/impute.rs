//! `impute`: missing cells of a table, drawn given the others.

use super::origin::conditions_of;
use super::sampling::show_progress;
use crate::args::SamplingArgs;
use std::path::Path;
use triflow::component::Part;
use triflow::data::Table;
use triflow::data::files::{read_incomplete, read_whole};
use triflow::io::table::{ENDINGS, typed_ending};
use triflow::request::{counted, load};
use triflow::rng::Streams;
use triflow::table::TableColumn;
use triflow::tch::{Device, Tensor};
use triflow::{Result, Trained};

/// Writes the table `data` with its missing cells filled in.
pub fn impute(
    run: &Path,
    data: &Path,
    draws: u64,
    sampling: &SamplingArgs,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    crate::out::check(out, ENDINGS)?;
    let (_, mut model) = load(run, &sampling.options())?;
    model.fills_in()?;
    let _threads = model.threads();
    let (learned, from) = match model.experiment().task().learns_y() {
        true => (Part::Y, Part::X),
        false => (Part::X, Part::Y),
    };
    let mut table = read_incomplete(model.experiment(), data, learned)?;
    let read = Table::of(&table)?;
    let file = read_whole(model.experiment(), data, typed_ending(out).is_none())?;
    let file = file.as_ref().map(Table::of).transpose()?;
    let n = table.layout(learned).map_or(0, |(_, shape)| shape[0]);
    if model.units().shapes.condition.is_some() {
        let help = "fill in the conditions first";
        let conditions = conditions_of(&model, data, from, n, help)?;
        (table.y, table.y_columns, table.classes) =
            (conditions.y, conditions.y_columns, conditions.classes);
    }
    let conditions = model.units().align(table.rows(&every(n)), model.experiment())?.y;
    let conditions = conditions.filter(|_| model.units().shapes.condition.is_some());
    let streams = Streams::new(sampling.seed.unwrap_or_else(|| model.experiment().seed()), 0);
    show_progress(&mut model, quiet, n * draws as i64, "rows");
    let imputed = model.impute(table, draws, &streams)?;
    let filled = |cells: &Tensor| match &file {
        Some(file) => file.clone().filled(&read, &whole(&model, cells, None)?),
        None => whole(&model, cells, conditions.as_ref()),
    };
    let full = match draws {
        1 => filled(&imputed.draws[0])?,
        _ => {
            let columns = match &model.units().names.target[..] {
                [] => whole(&model, &imputed.draws[0], None)?.columns().to_vec(),
                columns => columns.to_vec(),
            };
            let (cells, spread) = imputed.summary(&columns);
            filled(&cells)?.beside(spreads(&columns, &spread, &read)?)
        }
    };
    full.write(out)?;
    let names = read.columns().iter().map(|column| column.name.as_str());
    let count: usize = names.map(|name| gaps(&read, name).filter(|gap| *gap).count()).sum();
    let rows = counted(n, "row");
    println!("{}, filled in, in the {rows} of {}", counted(count as i64, "cell"), out.display());
    Ok(())
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

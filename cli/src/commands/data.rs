//! `data`: a data source's rows as a file.

use crate::terminal::say;
use std::path::Path;
use triflow::component::{DataContext, InspectedColumn, Inspection};
use triflow::config::Layers;
use triflow::data::files::{endings, source_of, write_rows};
use triflow::error::one_line;
use triflow::registry::registry;
use triflow::{Error, Result};

/// Writes the rows of the data source `name`.
pub fn write(name: &str, set: &[String], seed: Option<u64>, out: &Path) -> Result<()> {
    crate::out::check(out, &endings())?;
    let name = registry().find("data_source", name)?.info.name;
    let mut layers = Layers::new()?;
    layers.set("data", name.into(), "the command")?;
    super::set_under(&mut layers, "data", set, "samples=1000")?;
    let experiment = layers.finish()?;
    let seed = seed.unwrap_or_else(|| experiment.seed());
    let at = |e: Error| layers.locate(e.under("data"));
    let context = DataContext::new(seed, "");
    let source = experiment.data.build(&context).map_err(at)?;
    let rows = source.load().map_err(at)?;
    write_rows(out, &rows)?;
    let size = rows.train.x.as_ref().or(rows.train.y.as_ref()).map_or(0, |t| t.size()[0]);
    say!("{size} rows, seed {seed}, in {}", out.display());
    Ok(())
}

/// Columns of a terminal that a table of columns fits.
const WIDTH: u16 = 100;

/// Prints the columns of a file, as its data source would read them.
pub fn inspect(file: &Path, set: &[String]) -> Result<()> {
    let name = source_of(file)?;
    let mut layers = Layers::new()?;
    let mut source = serde_yaml::Mapping::new();
    source.insert("type".into(), name.into());
    source.insert("path".into(), file.to_string_lossy().as_ref().into());
    layers.set("data", source.into(), "the command")?;
    super::set_under(&mut layers, "data", set, "y=species")?;
    let experiment = layers.finish()?;
    let at = |e: Error| layers.locate(e.under("data"));
    let source = experiment.data.build(&DataContext::new(experiment.seed(), "")).map_err(at)?;
    let Inspection { facts, columns, refused } = source.inspect().map_err(at)?;
    let longest = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, fact) in &facts {
        say!("{name:longest$}  {}", one_line(fact));
    }
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["COLUMN", "TYPE", "DISTINCT", "MISSING", "RANGE", "VALUES", "USE"]);
    for column in columns {
        let InspectedColumn { name, kind, distinct, missing, range, examples, use_of } = column;
        let cells = [name, kind, distinct, missing, range, examples, use_of];
        table.add_row(cells.map(|cell| one_line(&cell).into_owned()));
    }
    // Names are whole, to be copied.
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(comfy_table::ColumnConstraint::ContentWidth);
    }
    say!("\n{table}");
    refused.map_or(Ok(()), |why| Err(Error::data(file, why)))
}

//! `data`: a data source's rows as a file.

use std::path::Path;
use triflow::component::DataContext;
use triflow::config::Layers;
use triflow::data::files::write_rows;
use triflow::registry::registry;
use triflow::{Error, Result};

/// Writes the rows of the data source `name`.
pub fn write(name: &str, set: &[String], seed: Option<u64>, out: &Path) -> Result<()> {
    crate::out::check(out, &["npz", "csv", "safetensors"])?;
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
    println!("{size} rows, seed {seed}, in {}", out.display());
    Ok(())
}

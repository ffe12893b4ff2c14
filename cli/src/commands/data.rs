//! `data`: a data source's rows as a file.

use std::path::Path;
use triflow::component::DataContext;
use triflow::config::{Layers, parse_value};
use triflow::data::files::write_rows;
use triflow::{Error, Result};

/// Writes the rows of the data source `name`.
pub fn write(name: &str, set: &[String], seed: Option<u64>, out: &Path) -> Result<()> {
    let mut layers = Layers::new()?;
    layers.set("data", name.into(), "the command")?;
    for assignment in set {
        let place = format!("--set {assignment}");
        let (key, value) = assignment.split_once('=').ok_or_else(|| {
            Error::config("", format!("`{place}` has no `=`")).help("write `--set samples=1000`")
        })?;
        layers.set(&format!("data.{}", key.trim()), parse_value(value)?, &place)?;
    }
    let experiment = layers.finish()?;
    let seed = seed.unwrap_or_else(|| experiment.seed());
    let context = DataContext { seed, base: Path::new("").to_owned() };
    let rows = experiment.data.build(&context)?.load()?;
    write_rows(out, &rows)?;
    let size = rows.train.x.as_ref().or(rows.train.y.as_ref()).map_or(0, |t| t.size()[0]);
    println!("{size} rows, seed {seed}, in {}", out.display());
    Ok(())
}

//! Everything that reads what others wrote, each as a function of a file's content. What they
//! return is not looked at: an input may be refused, but the properties of `harness` hold.

mod arrays;
mod cifar;
mod comparison;
mod experiment;
mod idx;
mod images;
mod models;
mod parts;
mod plugin;
mod report;
mod resolve;
mod run;
mod safetensors;
mod set;
mod text_table;
mod typed_table;

use crate::harness::Target;
use std::path::Path;
use triflow::Component;
use triflow::component::{DataContext, DataSource};
use triflow::registry::Parameter as _;

/// The targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 18] = [
    ("arrow", typed_table::arrow),
    ("checkpoint", models::checkpoint),
    ("cifar", cifar::run),
    ("comparison", comparison::run),
    ("experiment", experiment::run),
    ("idx", idx::run),
    ("images", images::run),
    ("npy", arrays::npy),
    ("npz", arrays::npz),
    ("parameters", models::parameters),
    ("parquet", typed_table::parquet),
    ("plugin", plugin::run),
    ("report", report::run),
    ("resolve", resolve::run),
    ("run", run::run),
    ("safetensors", safetensors::run),
    ("set", set::run),
    ("text_table", text_table::run),
];

/// Writes a file; `None` where it could not be written.
fn write(folder: &Path, name: &str, data: &[u8]) -> Option<std::path::PathBuf> {
    let path = folder.join(name);
    if let Some(parent) = path.parent()
        && !parent.is_dir()
    {
        std::fs::create_dir_all(parent).ok()?;
    }
    std::fs::write(&path, data).ok()?;
    Some(path)
}

/// Loads what a data source, written as in an experiment, finds in `folder`.
fn load(source: &str, folder: &Path) -> triflow::Result<triflow::component::Splits> {
    let source = triflow::config::parse_value(source)?;
    let source = Component::<dyn DataSource>::read(&source)?;
    source.build(&DataContext::new(1, folder))?.load()
}

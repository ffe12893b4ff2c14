//! Parquet and Arrow's files.

use super::text_table::read;
use std::path::Path;
use triflow::io::table::{Format, Wanted};

pub fn parquet(folder: &Path, data: &[u8]) {
    both(folder, "rows.parquet", data);
}

pub fn arrow(folder: &Path, data: &[u8]) {
    both(folder, "rows.feather", data);
}

fn both(folder: &Path, name: &str, data: &[u8]) {
    let Some(path) = super::write(folder, name, data) else { return };
    for wanted in [Wanted::Any, Wanted::Cells] {
        read(&path, &Format::default(), &wanted);
    }
    let _ = super::load(&format!("{{ type: table, path: {name} }}"), folder);
}

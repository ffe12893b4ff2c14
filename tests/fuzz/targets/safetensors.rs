//! Safetensors files of rows.

use std::path::Path;
use triflow::io::safetensors as files;

pub fn run(folder: &Path, data: &[u8]) {
    let Some(path) = super::write(folder, "rows.safetensors", data) else { return };
    let _ = files::read_safetensors(&path);
    for name in files::list_names(&path).unwrap_or_default() {
        if let Ok(Some(rows)) = files::disk_rows(&path, &name) {
            let _ = rows.read(&(0..rows.len().min(3)).collect::<Vec<_>>());
        }
    }
    let _ = super::load("{ type: safetensors, path: rows.safetensors }", folder);
}

//! NumPy's files.

use std::path::Path;
use triflow::io::{npz as files, read_texts};
use triflow::request::Seeds;

pub fn npz(folder: &Path, data: &[u8]) {
    read(folder, "rows.npz", data);
}

pub fn npy(folder: &Path, data: &[u8]) {
    read(folder, "rows.npy", data);
    let _ = super::write(folder, "seeds.npy", data).map(|path| Seeds::read(&path));
}

fn read(folder: &Path, name: &str, data: &[u8]) {
    let Some(path) = super::write(folder, name, data) else { return };
    let _ = files::read_arrays(&path);
    for name in files::list_names(&path).unwrap_or_default() {
        let _ = read_texts(&path, &name);
        if let Ok(Some(rows)) = files::disk_rows(&path, &name) {
            let _ = rows.read(&(0..rows.len().min(3)).collect::<Vec<_>>());
        }
    }
    let _ = super::load(&format!("{{ type: npz, path: {name} }}"), folder);
}

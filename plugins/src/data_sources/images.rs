//! What the sources of images share: files that may be gzipped, and tables of bytes.

use super::files::labels;
use std::io::{Cursor, Read};
use std::path::{Path as FsPath, PathBuf};
use triflow::config::FilePath;
use triflow::prelude::*;

/// The folder of a source, read from `base`.
pub(super) fn folder(path: &FilePath, base: &FsPath) -> Result<PathBuf> {
    let path = super::files::required(path, base)?;
    if path.is_dir() {
        return Ok(path);
    }
    let what = if path.exists() { "is no folder" } else { "no such folder" };
    Err(Error::data(&path, format!("{what}; `data.path` names the folder of the files")))
}

/// The bytes of a file in order, unpacked where it is gzipped.
pub(super) fn unpacked(path: &FsPath) -> Result<Box<dyn Read>> {
    let bytes = triflow::io::read_file(path)?;
    Ok(match bytes.starts_with(&[0x1f, 0x8b]) {
        true => {
            let length = bytes.len() as u64;
            Box::new(triflow::io::gunzip(Cursor::new(bytes), length))
        }
        false => Box::new(Cursor::new(bytes)),
    })
}

/// The first of `names` that is in `folder`, as it is or with `.gz` behind.
pub(super) fn find(folder: &FsPath, names: &[&str]) -> Option<PathBuf> {
    let with = |name: &&str| [(*name).to_owned(), format!("{name}.gz")];
    names.iter().flat_map(with).map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Images `[n, C, H, W]` with their labels.
pub(super) fn table(path: &FsPath, bytes: &[u8], shape: [usize; 3], y: &[i64]) -> Result<Columns> {
    let entries = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).unwrap_or(0);
    let rows = bytes.len().checked_div(entries).unwrap_or(0);
    if rows == 0 || rows * entries != bytes.len() || rows != y.len() {
        let message = format!("holds {} bytes of images for {} labels", bytes.len(), y.len());
        return Err(Error::data(path, message));
    }
    let size: Vec<i64> = std::iter::once(rows).chain(shape).map(|n| n as i64).collect();
    let x = Tensor::from_slice(bytes).reshape(size);
    Ok(Columns { x: Some(x), y: Some(labels(path, "the labels", y)?), ..Columns::default() })
}

//! Reading of image files that may be gzipped, shared by several data sources.

use super::files::labels;
use std::io::{Cursor, Read};
use std::path::{Path as FsPath, PathBuf};
use triflow::config::FilePath;
use triflow::prelude::*;

/// The folder `path` of a data source, relative to `base`.
///
/// # Errors
/// `path` does not exist, or is no folder.
pub(super) fn folder(path: &FilePath, base: &FsPath) -> Result<PathBuf> {
    let path = base.join(&**path);
    if path.is_dir() {
        return Ok(path);
    }
    let what = if path.exists() { "is not a folder" } else { "no such folder" };
    Err(Error::data(&path, format!("{what}; `data.path` names the folder of the files")))
}

/// Reader of the bytes of a file, unpacked if it is gzipped.
///
/// # Errors
/// The file cannot be read.
pub(super) fn open_unpacked(path: &FsPath) -> Result<Box<dyn Read>> {
    let bytes = triflow::io::read_file(path)?;
    Ok(match bytes.starts_with(&[0x1f, 0x8b]) {
        true => {
            let length = bytes.len() as u64;
            Box::new(triflow::io::gunzip(Cursor::new(bytes), length))
        }
        false => Box::new(Cursor::new(bytes)),
    })
}

/// The first file in `folder` with one of `names`, or one of them and `.gz`.
pub(super) fn find(folder: &FsPath, names: &[&str]) -> Option<PathBuf> {
    let spellings = |name: &&str| [(*name).to_owned(), format!("{name}.gz")];
    names.iter().flat_map(spellings).map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Columns of images `[n, C, H, W]`, uint8, of this `shape` `[C, H, W]` and their labels y `[n]`.
///
/// # Errors
/// There are no images, or `bytes` do not hold one for each label.
pub(super) fn image_columns(
    path: &FsPath,
    bytes: &[u8],
    shape: [usize; 3],
    y: &[i64],
) -> Result<Columns> {
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

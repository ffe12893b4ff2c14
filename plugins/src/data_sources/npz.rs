//! Arrays of a NumPy archive.

use super::files::{ArrayFile, array_source};
use std::path::{Path as FsPath, PathBuf};
use triflow::io::{npz, read_texts};
use triflow::prelude::*;

array_source! {
    /// Arrays x and y of a NumPy archive (`.npz`), or the one array of an `.npy` as x, one row an example.
    ///
    /// y of integers, booleans or texts and shape \[n\] or \[n, 1\] are class labels: each that occurs is a class
    /// of its name, or label i is called by the i-th text of an array `classes`; texts `x_columns` and `y_columns` are
    /// the names of columns. Bytes (uint8) of shape
    /// \[n, C, H, W\] are images, kept as bytes and read as numbers from 0 to 1; everything else is float32, from
    /// float16 too. Rows for validation and evaluation come from arrays of their own, or are split off.
    #[extensions("npz", "npy")]
    pub struct Npz = "npz", open
}

/// Where the arrays lie.
#[derive(Clone)]
struct Archive {
    path: PathBuf,
    /// The one array of an `.npy`. It is called as its file, which says nothing of what it is, so it is x.
    alone: Option<String>,
}

impl Archive {
    fn own<'a>(&'a self, name: &'a str) -> &'a str {
        self.alone.as_deref().unwrap_or(name)
    }
}

pub(super) fn open(path: &FsPath) -> Result<ArrayFile> {
    let names = npz::list_names(path)?;
    let is_npy = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
    let alone = names.first().filter(|_| is_npy && names.len() == 1).cloned();
    let archive = Archive { path: path.to_owned(), alone };
    let (get, texts) = (archive.clone(), archive.clone());
    let names = if archive.alone.is_some() { vec!["x".to_owned()] } else { names };
    let there = names.clone();
    Ok(ArrayFile {
        names,
        get: Box::new(move |name| npz::read_array(&get.path, get.own(name))),
        texts: Box::new(move |name| match there.iter().any(|one| one == name) {
            true => read_texts(&texts.path, texts.own(name)),
            false => Ok(None),
        }),
        on_disk: Box::new(move |name| npz::disk_rows(&archive.path, archive.own(name))),
        sequences: false,
    })
}

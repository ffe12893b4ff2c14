use super::arrays::{ArrayFile, array_source};
use std::path::{Path as FsPath, PathBuf};
use triflow::io::{npz, read_texts};
use triflow::prelude::*;

array_source! {
    /// A NumPy archive (`.npz`) or array (`.npy`): x and y are arrays, each row an example.
    ///
    /// The array of an `.npy` is x. y of integers, booleans or texts and shape `[n]` or `[n, 1]`
    /// are class labels: each distinct value is a class of that name, or label i has the i-th name
    /// of an array of texts `classes`. Arrays of texts `x_columns` and `y_columns` name the
    /// columns. Bytes (uint8) of shape `[n, C, H, W]` are images, kept as bytes and read as numbers
    /// from 0 to 1. Other arrays, also of float16, are numbers. Rows for validation and evaluation
    /// are arrays of their own, or are split off.
    #[extensions("npz", "npy")]
    pub struct Npz = "npz", open
}

/// File of arrays.
#[derive(Clone)]
struct Archive {
    path: PathBuf,
    /// Name of the only array of an `.npy`, that of its file; the array is read as x.
    only: Option<String>,
}

impl Archive {
    /// Name in the file of the array that the data source calls `name`.
    fn stored_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.only.as_deref().unwrap_or(name)
    }
}

/// The arrays of an `.npz` or `.npy`.
///
/// # Errors
/// The file cannot be read.
pub(super) fn open(path: &FsPath) -> Result<ArrayFile> {
    let names = npz::list_names(path)?;
    let is_npy = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"));
    let only = names.first().filter(|_| is_npy && names.len() == 1).cloned();
    let archive = Archive { path: path.to_owned(), only };
    let (get, texts) = (archive.clone(), archive.clone());
    let names = if archive.only.is_some() { vec!["x".to_owned()] } else { names };
    let known = names.clone();
    Ok(ArrayFile {
        names,
        get: Box::new(move |name| npz::read_array(&get.path, get.stored_name(name))),
        texts: Box::new(move |name| match known.iter().any(|one| one == name) {
            true => read_texts(&texts.path, texts.stored_name(name)),
            false => Ok(None),
        }),
        on_disk: Box::new(move |name| npz::disk_rows(&archive.path, archive.stored_name(name))),
        sequences: false,
    })
}

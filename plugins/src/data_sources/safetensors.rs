use super::arrays::{ArrayFile, array_source};
use std::path::Path as FsPath;
use triflow::io::safetensors;
use triflow::prelude::*;

array_source! {
    /// A safetensors file: x and y are arrays, each row an example.
    ///
    /// y of integers or booleans and shape `[n]` or `[n, 1]` are class labels: each distinct value
    /// is a class of that name. JSON lists `classes`, `x_columns` and `y_columns` in the metadata
    /// name classes and columns. Bytes (uint8) of shape `[n, C, H, W]` are images, kept as bytes
    /// and read as numbers from 0 to 1. Other arrays, also of float16 and bfloat16, are numbers.
    /// Rows for validation and evaluation are arrays of their own, or are split off.
    #[extensions("safetensors")]
    pub struct Safetensors = "safetensors", open
}

/// The arrays of a safetensors file.
///
/// # Errors
/// The file cannot be read.
pub(super) fn open(path: &FsPath) -> Result<ArrayFile> {
    let names = safetensors::list_names(path)?;
    let path = path.to_owned();
    let on_disk = path.clone();
    let metadata = safetensors::read_safetensors_metadata(&path)?;
    Ok(ArrayFile {
        names,
        get: Box::new(move |name| safetensors::read_array(&path, name)),
        // The format has no arrays of texts: the metadata hold JSON lists.
        texts: Box::new(move |name| {
            Ok(metadata.get(name).and_then(|text| safetensors::texts_of(text)))
        }),
        on_disk: Box::new(move |name| safetensors::disk_rows(&on_disk, name)),
        sequences: false,
    })
}

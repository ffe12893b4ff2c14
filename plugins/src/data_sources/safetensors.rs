//! Arrays of a safetensors file.

use super::files::{ArrayFile, array_source};
use std::path::Path as FsPath;
use triflow::io::safetensors;
use triflow::prelude::*;

array_source! {
    /// Arrays x and y of a safetensors file, one row an example.
    ///
    /// y of integers or booleans and shape \[n\] or \[n, 1\] are class labels: each that occurs is a class of its
    /// name; `classes`, `x_columns` and `y_columns`, lists in JSON in the metadata, name classes and columns. Bytes (uint8) of shape \[n, C, H, W\] are images, kept as bytes and read as numbers from 0 to 1;
    /// everything else is float32, from float16 and bfloat16 too. Rows for validation and evaluation come from
    /// arrays of their own, or are split off.
    #[extensions("safetensors")]
    pub struct Safetensors = "safetensors", open
}

pub(super) fn open(path: &FsPath) -> Result<ArrayFile> {
    let names = safetensors::list_names(path)?;
    let path = path.to_owned();
    let on_disk = path.clone();
    let metadata = safetensors::read_safetensors_metadata(&path)?;
    Ok(ArrayFile {
        names,
        get: Box::new(move |name| safetensors::read_array(&path, name)),
        // The format has no arrays of texts; a list in JSON stands in the metadata.
        texts: Box::new(move |name| {
            Ok(metadata.get(name).and_then(|text| safetensors::texts_of(text)))
        }),
        on_disk: Box::new(move |name| safetensors::disk_rows(&on_disk, name)),
        sequences: false,
    })
}

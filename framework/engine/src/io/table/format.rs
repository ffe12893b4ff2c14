use std::path::Path;

/// Endings of the names of files that [`super::write_table`] writes, without the first dot.
pub const ENDINGS: &[&str] = &["csv", "tsv", "csv.gz", "tsv.gz", "parquet", "feather", "arrow"];

/// Format of a file that holds a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Lines of cells.
    Text {
        /// Separator between cells.
        separator: u8,
        /// True if the text is packed by gzip.
        packed: bool,
    },
    Parquet,
    /// Arrow IPC.
    Arrow,
}

impl Format {
    /// The format of `path`, by its ending; `None` if it is no table.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let packed = name.strip_suffix(".gz");
        let (_, ending) = packed.unwrap_or(&name).rsplit_once('.')?;
        let text = |separator| Self::Text { separator, packed: packed.is_some() };
        Some(match ending {
            "csv" => text(b','),
            "tsv" => text(b'\t'),
            "parquet" if packed.is_none() => Self::Parquet,
            "feather" | "arrow" if packed.is_none() => Self::Arrow,
            _ => return None,
        })
    }
}

/// Ending of `path` if it is that of a table whose columns have types in the file.
pub fn typed_ending(path: &Path) -> Option<&'static str> {
    let ending = match Format::of(path)? {
        Format::Text { .. } => return None,
        Format::Parquet => "parquet",
        Format::Arrow => "feather",
    };
    Some(ending)
}

/// True if the ending of `path` is that of a table, one of [`ENDINGS`].
pub fn is_table(path: &Path) -> bool {
    Format::of(path).is_some()
}

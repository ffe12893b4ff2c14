use std::path::Path;

/// Endings of the names of files that [`super::write_table`] writes, without the first dot.
pub const ENDINGS: &[&str] = &["csv", "tsv", "csv.gz", "tsv.gz"];

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
}

impl Format {
    /// The format of `path`, by its ending; `None` if it is no table.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let packed = name.strip_suffix(".gz");
        let (_, ending) = packed.unwrap_or(&name).rsplit_once('.')?;
        let text = |separator| Some(Self::Text { separator, packed: packed.is_some() });
        match ending {
            "csv" => text(b','),
            "tsv" => text(b'\t'),
            _ => None,
        }
    }
}

/// True if the ending of `path` is that of a table, one of [`ENDINGS`].
pub fn is_table(path: &Path) -> bool {
    Format::of(path).is_some()
}

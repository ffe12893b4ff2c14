//! Tables with typed columns in files: text (`.csv`, `.tsv`, also packed by gzip), Parquet, and
//! Arrow IPC (Feather).

mod arrow_types;
mod format;
mod read;
#[cfg(test)]
mod stored_types;
#[cfg(test)]
mod tests;
mod time;
mod write;

pub use format::{ENDINGS, is_table, typed_ending};
pub use read::{
    Blank, Cells, Column, Doubt, Format, Group, Header, MAX_TEXTS, MISSING, MISSING_TEXTS, Markers,
    Notation, Table, TableFile, TypeWish, Typed, Wanted, doubt_of, infer, is_unicode,
};
pub use time::TimeFormat;
pub use write::{Values, is_text, texts, typed_columns, write_table, write_text_blocks};

//! Tables with typed columns in files: text (`.csv`, `.tsv`, also packed by gzip).

mod format;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod write;

pub use format::{ENDINGS, is_table};
pub use read::{
    Cells, Column, Format, Group, Header, MAX_TEXTS, MISSING, MISSING_TEXTS, Markers, Notation,
    Table, TableFile, TypeWish, Typed, Wanted, infer,
};
pub use time::TimeFormat;
pub use write::write_table;

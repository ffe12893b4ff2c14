//! Tables with typed columns in files: text (`.csv`, `.tsv`, also packed by gzip).

mod format;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod write;

pub use format::{ENDINGS, is_table};
pub use time::TimeFormat;
pub use write::write_table;

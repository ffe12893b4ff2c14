//! Tables: types of columns, and the layout of the rows that a model sees.
//!
//! A table in the data's own units is a matrix `[n, columns]` of float64: numbers as they are,
//! categories by their codes 0, 1, …, times in seconds since 1970-01-01, and NaN for a missing
//! cell. A model sees rows `[n, entries]`, in which each column takes one or more
//! [blocks](TableColumn::blocks).

mod column;
mod names;
mod rows;
mod segments;
mod storage;

pub use column::{
    Block, CellType, Codes, Scaling, TableColumn, blocks_of, entry_names, names_of, origin_names,
    width_of,
};
pub use names::NamePlaces;
pub use rows::TableRows;
pub use segments::Segments;
pub use storage::{Storage, TextLayout, TimeUnit};

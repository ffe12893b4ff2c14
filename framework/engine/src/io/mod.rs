//! Files of arrays, tables and event logs. Input is checked before it is used, and an error names
//! the file and the array, line or column. Every file but an event log, which grows, is written
//! whole or not at all.

mod array;
mod atomic;
mod convert;
mod digest;
mod first_failure;
mod input;
pub mod npz;
pub mod npz_blocks;
mod npz_entry;
mod packed;
pub mod safetensors;
pub mod table;
mod tensor;
#[cfg(test)]
mod tests;
mod texts;
pub mod tfevents;

pub use array::{ArrayData, NamedArray};
pub use atomic::{check_space, remove_abandoned, write_atomically};
pub use input::{check_input, open_regular, read_file, read_to_end};
pub use packed::gunzip;
pub use tensor::{to_array, to_tensor};
pub use texts::read_texts;
pub use triflow_core::disk::DiskRows;

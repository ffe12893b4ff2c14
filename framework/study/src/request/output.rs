//! Results of a request, as a table or as arrays.

use crate::data::Table;
use crate::error::Result;
use crate::io::{NamedArray, npz, table};
use crate::trained::Trained;
use std::path::Path;

/// The result of a request.
pub trait Output {
    /// The result as a table, with the columns of the training file.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config): it is no table.
    fn table(&self, model: &Trained) -> Result<Table>;

    /// The result as arrays by name.
    ///
    /// # Errors
    /// [`Error::Runtime`](crate::Error::Runtime): a tensor cannot be copied from its device.
    fn arrays(&self, model: &Trained) -> Result<Vec<NamedArray>>;

    /// Writes the result in the format of the path's ending, a table or an `.npz`.
    ///
    /// # Errors
    /// Those of [`table`](Self::table) and [`arrays`](Self::arrays).
    /// [`Error::Io`](crate::Error::Io): the file cannot be written.
    fn write(&self, out: &Path, model: &Trained) -> Result<()> {
        match table::is_table(out) {
            true => self.table(model)?.write(out),
            false => npz::write_npz_with(out, &self.arrays(model)?, &model.units().texts()),
        }
    }
}

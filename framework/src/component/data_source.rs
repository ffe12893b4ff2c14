//! Data sources: where x and y come from.

use crate::component_kind;
use crate::error::Error;
use crate::parameters;
use crate::registry::Common;
use std::path::{Path, PathBuf};
use tch::Tensor;

/// Rows of x and y; the task says which is the condition and which the target.
#[derive(Debug, Default)]
pub struct Table {
    /// `[n, …x_shape]`, float32 on the CPU; or images `[n, C, H, W]` of bytes (uint8), which stand for
    /// byte/255 and are kept as bytes on the device.
    pub x: Option<Tensor>,
    /// `[n, …y_shape]` float32, or `[n]` int64 class labels, which the engine turns into one-hot rows.
    pub y: Option<Tensor>,
    /// `[n, …z_shape]`, float32: where each row's path begins, in the units of the model, for a coupling
    /// that takes it from there; `None` where rows have no z_0 of their own.
    pub z0: Option<Tensor>,
    /// `[n]` int64: where x are sequences `[n, T, …]` of different lengths, how many positions of each are there,
    /// the first ones; what lies behind them is not looked at. `None`: all.
    pub x_lengths: Option<Tensor>,
    /// Likewise of y.
    pub y_lengths: Option<Tensor>,
}

impl Table {
    /// Something done to each of its tensors.
    pub fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Table {
        let of = |t: &Option<Tensor>| t.as_ref().map(&f);
        Table {
            x: of(&self.x),
            y: of(&self.y),
            z0: of(&self.z0),
            x_lengths: of(&self.x_lengths),
            y_lengths: of(&self.y_lengths),
        }
    }
}

/// Which side of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// x.
    X,
    /// y.
    Y,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::X => "x",
            Part::Y => "y",
        })
    }
}

/// What a source yields. Sets that are `None` are split off `train`.
#[derive(Debug)]
pub struct Splits {
    /// Rows to learn from.
    pub train: Table,
    /// Rows for validation while training.
    pub val: Option<Table>,
    /// Rows for the final evaluation.
    pub test: Option<Table>,
}

/// What a data source is built from.
#[derive(Clone, Debug)]
pub struct DataContext {
    /// The experiment's seed.
    pub seed: u64,
    /// Folder against which relative paths are read.
    pub base: PathBuf,
}

parameters! {
    /// Shares of the rows.
    pub struct Split {
        /// Share to learn from.
        pub train: f64 = 0.8,
        /// Share for validation.
        pub val: f64 = 0.1,
        /// Share for the final evaluation.
        pub test: f64 = 0.1,
    }
}

parameters! {
    /// Keys that every data source takes.
    pub struct DataOptions {
        /// Scale every feature to mean 0 and deviation 1 (fitted on the training rows, undone on output;
        /// one-hot labels are left alone).
        pub standardise: bool = true,
        /// How rows are divided where the source does not say.
        pub split: Split = Split::default(),
    }
}

impl Common for DataOptions {
    const KEYS: &'static [&'static str] = &["standardise", "split"];
}

component_kind! {
    /// Where x and y come from.
    kind "data_source", spec DataSourceSpec, context<'a> DataContext, common DataOptions;

    /// Yields rows of x and y.
    pub trait DataSource {
        /// All rows, on the CPU.
        fn load(&self) -> Result<Splits>;
    }

    provided {
        /// x or y of another file that is laid out as this source's own, as in a [`Table`].
        fn read(&self, path: &Path, part: Part) -> Result<Tensor> {
            Err(Error::data(path, format!("this data source reads no {part} from files")))
        }

        /// The lengths of the sequences that [`read`](DataSource::read) gives, `[n]` int64 as in a [`Table`],
        /// if the file has them.
        fn read_lengths(&self, _path: &Path, _part: Part) -> Result<Option<Tensor>> {
            Ok(None)
        }
    }
}

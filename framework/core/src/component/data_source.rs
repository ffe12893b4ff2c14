use super::names::ClassNames;
use super::split::{Split, SplitColumn};
use crate::disk::DiskRows;
use crate::error::{Error, Result, suggestion};
use crate::table::{NamePlaces, TableColumn};
use crate::{choices, component_kind, parameters};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// Rows of x and y, as a data source reads them; the task says which is the condition and which the
/// target.
#[derive(Debug, Default)]
pub struct Columns {
    /// `[n, …x_shape]`, float32 or float64 on the CPU, or images `[n, C, H, W]` of bytes (uint8),
    /// which mean byte/255 and stay bytes on the device. float64 is kept until it is centred:
    /// float32 would lose small differences beside a large mean.
    pub x: Option<Tensor>,
    /// `[n, …y_shape]` as for x, or class labels, `[n]` or `[n, 1]` int64, which the engine encodes
    /// one-hot. Any integer is a label; without `classes` each number that occurs is a class with
    /// that name.
    pub y: Option<Tensor>,
    /// `[n, …z_shape]`, float32 or float64: the z_0 of each row in the units of the model, for a
    /// coupling that reads it; `None` where the data have none.
    pub z0: Option<Tensor>,
    /// `[n]` float32 or float64, at least 0: weights of the rows, for `training.row_weights`;
    /// `None` where the data have none.
    pub weights: Option<Tensor>,
    /// `[n]` int64: lengths of x that are sequences `[n, T, …]`; positions behind the length are
    /// ignored. `None`: all are full.
    pub x_lengths: Option<Tensor>,
    /// Lengths of y, as for x.
    pub y_lengths: Option<Tensor>,
    /// Rows of x that stay on disk, instead of `x`.
    pub x_on_disk: Option<DiskRows>,
    /// Rows of y that stay on disk, instead of `y`.
    pub y_on_disk: Option<DiskRows>,
    /// Rows of z_0 that stay on disk, instead of `z0`.
    pub z0_on_disk: Option<DiskRows>,
    /// Names and types of the columns of x `[n, columns]`; empty without names. Where one is no
    /// plain number, x is float64, laid out as [`table`](crate::table) says.
    pub x_columns: Vec<TableColumn>,
    /// Names and types of the columns of y `[n, columns]`, as for x.
    pub y_columns: Vec<TableColumn>,
    /// Names of the columns of x and y in the order of the file, by which rows are written; empty:
    /// x before y.
    pub order: Vec<String>,
    /// Names of the classes where y are labels: label i is `classes[i]`, and there are as many
    /// classes as names. Empty: the labels are the names.
    pub classes: Vec<String>,
    /// Numbers of the rows in the file, from 0, where rows were left out; empty where all are here.
    pub kept: Vec<i64>,
    /// The file of the rows, of which [`DataSource::place_in`] names places; `None` where it is not
    /// known.
    pub file: Option<PathBuf>,
    /// Cells of [`DataContext::split_column`]; `None` where it is `None`, or the source has no such
    /// column.
    pub split: Option<SplitColumn>,
    /// Advice on how to choose the columns or arrays, where x or y is missing.
    pub advice: Option<String>,
}

impl Columns {
    /// The rows at `rows`; those on disk are not read.
    pub fn rows(&self, rows: &[i64]) -> Columns {
        let index = Tensor::from_slice(rows);
        let select = |t: &Option<Tensor>| t.as_ref().map(|t| t.index_select(0, &index));
        let on_disk = |side: &Option<DiskRows>| side.as_ref().map(|side| side.select(rows));
        Columns {
            x: select(&self.x),
            y: select(&self.y),
            z0: select(&self.z0),
            weights: select(&self.weights),
            x_lengths: select(&self.x_lengths),
            y_lengths: select(&self.y_lengths),
            x_on_disk: on_disk(&self.x_on_disk),
            y_on_disk: on_disk(&self.y_on_disk),
            z0_on_disk: on_disk(&self.z0_on_disk),
            x_columns: self.x_columns.clone(),
            y_columns: self.y_columns.clone(),
            order: self.order.clone(),
            classes: self.classes.clone(),
            kept: match &self.kept[..] {
                [] => Vec::new(),
                kept => rows.iter().filter_map(|row| kept.get(*row as usize).copied()).collect(),
            },
            file: self.file.clone(),
            split: self.split.as_ref().map(|split| split.rows(rows)),
            advice: self.advice.clone(),
        }
    }

    /// Puts the columns of `part` into the order of `known` and their categories into the codes of
    /// `known`, by name; does nothing where either has no names. A category that `known` lacks
    /// becomes a missing cell where cells may be missing, and else code −1.
    ///
    /// # Errors
    /// [`Error::Config`] for a column of `known` that is missing, with the nearest name, or that
    /// has texts in place of numbers.
    pub fn align_columns(&mut self, part: Part, known: &[TableColumn]) -> Result<()> {
        let (values, columns) = match part {
            Part::X => (&mut self.x, &mut self.x_columns),
            Part::Y => (&mut self.y, &mut self.y_columns),
        };
        if known.is_empty() || columns.is_empty() || columns == known {
            return Ok(());
        }
        let place = |known: &TableColumn| {
            columns.iter().position(|own| own.name == known.name).ok_or_else(|| {
                let names = columns.iter().map(|own| own.name.as_str());
                let help = suggestion(&known.name, "columns", names);
                let message = format!("there is no column `{}`; {help}", known.name);
                Error::config("data", message)
            })
        };
        let places = known.iter().map(place).collect::<Result<Vec<_>>>()?;
        if let Some(values) =
            values.as_mut().filter(|v| v.size().get(1) == Some(&(columns.len() as i64)))
        {
            let index: Vec<i64> = places.iter().map(|place| *place as i64).collect();
            *values = values.index_select(1, &Tensor::from_slice(&index));
            for (i, (known, place)) in known.iter().zip(&places).enumerate() {
                let mut cells = values.select(1, i as i64);
                if let Some(codes) = columns[*place].codes_in(known)? {
                    let renamed: Vec<f64> = Vec::<f64>::try_from(&cells)?
                        .into_iter()
                        .map(|cell| codes.of(cell))
                        .collect();
                    cells.copy_(&Tensor::from_slice(&renamed));
                }
            }
        }
        *columns = known.to_vec();
        Ok(())
    }

    /// The row, column and name of the first category of `part` that the column of `known` with its
    /// name lacks, by columns.
    pub fn unknown_category(&self, part: Part, known: &[TableColumn]) -> Option<(i64, &str, &str)> {
        let (values, columns) = match part {
            Part::X => (self.x.as_ref()?, &self.x_columns),
            Part::Y => (self.y.as_ref()?, &self.y_columns),
        };
        if values.size().get(1) != Some(&(columns.len() as i64)) {
            return None;
        }
        for (column, i) in columns.iter().zip(0..) {
            let Some(own) = column.names() else { continue };
            let same = known.iter().find(|known| known.name == column.name);
            let Some(names) = same.and_then(TableColumn::names) else { continue };
            let known = NamePlaces::new(names);
            let new = own.iter().zip(0_i64..).filter(|(name, _)| known.of(name).is_none());
            for (name, code) in new {
                let rows = values.select(1, i).eq(code as f64).nonzero();
                if rows.numel() > 0 {
                    return Some((rows.int64_value(&[0, 0]), &column.name, name));
                }
            }
        }
        None
    }

    /// Names and types of the columns of x or y.
    pub fn columns(&self, part: Part) -> &[TableColumn] {
        match part {
            Part::X => &self.x_columns,
            Part::Y => &self.y_columns,
        }
    }

    /// Type and shape `[n, …]` of x or y, in memory or on disk; `None` where it is missing.
    pub fn layout(&self, part: Part) -> Option<(Kind, Vec<i64>)> {
        let (held, on_disk) = match part {
            Part::X => (&self.x, &self.x_on_disk),
            Part::Y => (&self.y, &self.y_on_disk),
        };
        let on_disk = on_disk.as_ref().map(|d| (d.kind(), [&[d.len()], d.shape()].concat()));
        held.as_ref().map(|t| (t.kind(), t.size())).or(on_disk)
    }
}

/// Side of a table: x or y.
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

/// Rows of a data source. Sets that are `None` are split off `train`.
#[derive(Debug, Default)]
pub struct Splits {
    /// Training rows.
    pub train: Columns,
    /// Validation rows, used during training.
    pub val: Option<Columns>,
    /// Test rows, for the final evaluation.
    pub test: Option<Columns>,
    /// Keys of the data source that were chosen from the data, each with its value in YAML, such as
    /// `("x", "[height, width]")`. They are written to the run's `config.yaml`, so that later files
    /// are read in the same way.
    pub decided: Vec<(String, String)>,
}

/// Context in which a data source is built.
#[derive(Clone, Debug)]
pub struct DataContext {
    /// Seed of the experiment.
    pub seed: u64,
    /// Folder that relative paths refer to.
    pub base: PathBuf,
    /// Name of the column by which `data.split` divides the rows, which the source yields as
    /// [`Columns::split`] beside x and y; `None`: the rows are divided without a column.
    pub split_column: Option<String>,
}

impl DataContext {
    /// A context for rows that are not divided by a column.
    pub fn new(seed: u64, base: impl Into<PathBuf>) -> Self {
        Self { seed, base: base.into(), split_column: None }
    }
}

choices! {
    /// Place of the rows of a data set while they are used.
    pub enum Keep {
        /// All rows on the device.
        Device = "device",
        /// Rows stay in the file; batches are read ahead of the steps that use them.
        Disk = "disk",
    }
}

parameters! {
    /// Keys that every data source takes.
    pub struct DataOptions {
        /// Scale every feature to mean 0 and standard deviation 1, fitted on the training rows and
        /// undone on output; one-hot labels are not scaled.
        pub standardise: bool = true,
        /// Division of the rows into training, validation and test, where the source does not
        /// provide them: by shares at random, or by a column.
        pub split: Split = Split::default(),
        /// Names of the classes, in the order of their labels; empty: those of the training rows,
        /// numbers by size and texts in alphabetical order. A run's `config.yaml` lists them where
        /// they are not 0, 1, 2, …
        #[unwritten]
        pub classes: ClassNames = ClassNames::default(),
        /// Place of the rows. `disk` is for a set larger than memory: rows stay in their file, and
        /// batches are read ahead of the steps. It needs float32, or bytes of shape \[n, C, H, W\],
        /// in a safetensors file or an uncompressed `.npz`.
        pub keep: Keep = Keep::Device,
    }
}

/// Columns of a data source as they are, and as they would be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Facts about the whole, such as its number of rows, each with its name.
    pub facts: Vec<(String, String)>,
    /// The columns, in the order of the file.
    pub columns: Vec<InspectedColumn>,
    /// Reason why the data could not be used; `None` if x and y are found.
    pub refused: Option<String>,
}

/// A column of an [`Inspection`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InspectedColumn {
    /// Name of the column, or its number where it has none.
    pub name: String,
    /// Type of its cells.
    pub kind: String,
    /// Number of different values.
    pub distinct: String,
    /// Number of missing cells.
    pub missing: String,
    /// Least and largest value, or the most frequent ones.
    pub range: String,
    /// Some of its values.
    pub examples: String,
    /// Use that would be made of it.
    pub use_of: String,
}

component_kind! {
    /// The source of x and y.
    kind "data_source", context<'a> DataContext, common DataOptions;

    /// Yields rows of x and y.
    pub trait DataSource {
        /// All rows, on the CPU.
        fn load(&self) -> Result<Splits>;
    }

    provided {
        /// All rows; x, y and z_0 are left in their file.
        fn load_on_disk(&self) -> Result<Splits> {
            let message = "this data source cannot leave its rows on disk";
            Err(Error::config("keep", message).help(
                "`npz` (not compressed) and `safetensors` can; leave `keep` out to hold the rows on the device",
            ))
        }

        /// Place of a row of the training rows in their file, where it has the number `row` from
        /// 0, for a message, such as `line 7 of rows.csv`.
        fn place(&self, row: i64) -> Result<String> {
            Ok(format!("row {row} (counted from 0)"))
        }

        /// Place of a row of another file, where it has the number `row` from 0, for a message,
        /// such as `line 7`. The rows are those of [`read`](Self::read), or with
        /// `incomplete` those of [`read_incomplete`](Self::read_incomplete).
        fn place_in(&self, _path: &Path, row: i64, _incomplete: bool) -> Result<String> {
            Ok(format!("row {row} (counted from 0)"))
        }

        /// The columns as they are, and as they would be used.
        fn inspect(&self) -> Result<Inspection> {
            Err(Error::config("", "the columns of this data source cannot be inspected"))
        }

        /// Reads another file that is laid out like the source's training file: the sides in
        /// `parts`, with their names and lengths.
        fn read(&self, path: &Path, parts: &[Part]) -> Result<Columns> {
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            let message = format!("this data source reads no {} from files", parts.join(" and "));
            Err(Error::data(path, message))
        }

        /// Reads one side of another file as [`read`](Self::read) does, numbers of which some are
        /// missing: those are NaN, and so are those of columns that the file lacks. Rows without a
        /// value count. By `read`, which may refuse all that, unless overridden.
        fn read_incomplete(&self, path: &Path, part: Part) -> Result<Columns> {
            self.read(path, &[part])
        }

        /// Reads every row and column of another file as x, in the file's order, those that are not
        /// used too, so that it can be written again. With `texts`, cells of a text file are the
        /// texts that they are, as categories. `None` for files that hold nothing beside x and y.
        fn read_whole(&self, _path: &Path, _texts: bool) -> Result<Option<Columns>> {
            Ok(None)
        }
    }
}

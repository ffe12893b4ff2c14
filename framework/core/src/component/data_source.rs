//! Data sources: where x and y come from.

use crate::component_kind;
use crate::disk::DiskRows;
use crate::error::{Error, Result, suggestion};
use crate::parameters;
use crate::registry::Common;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// Rows of x and y; the task says which is the condition and which the target.
#[derive(Debug, Default)]
pub struct Columns {
    /// `[n, …x_shape]`, float32 or float64 on the CPU: float64 is kept until it is centred, so that what float32
    /// cannot hold beside a large mean is not lost; or images `[n, C, H, W]` of bytes (uint8), which stand for
    /// byte/255 and are kept as bytes on the device.
    pub x: Option<Tensor>,
    /// `[n, …y_shape]` likewise, or class labels, `[n]` or `[n, 1]` int64, which the engine turns into one-hot
    /// rows. Any whole number is a label: without `classes` each number that occurs is a class, called so.
    pub y: Option<Tensor>,
    /// `[n, …z_shape]`, float32 or float64: where each row's path begins, in the units of the model, for a coupling
    /// that takes it from there; `None` where rows have no z_0 of their own.
    pub z0: Option<Tensor>,
    /// `[n]` int64: where x are sequences `[n, T, …]` of different lengths, how many positions of each are there,
    /// the first ones; what lies behind them is not looked at. `None`: all.
    pub x_lengths: Option<Tensor>,
    /// Likewise of y.
    pub y_lengths: Option<Tensor>,
    /// Instead of `x`: rows that stay on disk.
    pub x_on_disk: Option<DiskRows>,
    /// Instead of `y`, likewise.
    pub y_on_disk: Option<DiskRows>,
    /// Instead of `z0`, likewise.
    pub z0_on_disk: Option<DiskRows>,
    /// Names of the columns of x `[n, columns]`; empty where they have none.
    pub x_names: Vec<String>,
    /// Names of the columns of y, likewise.
    pub y_names: Vec<String>,
    /// Names of the classes where y are class labels: label i is called `classes[i]`, and there are as many
    /// classes as names. Empty: classes are called by their numbers.
    pub classes: Vec<String>,
    /// Where rows of the file were left out: the numbers of those that are there, counted from 0. Empty: all are.
    pub kept: Vec<i64>,
    /// Where x or y is missing: how to say which columns or arrays of the file it is.
    pub advice: Option<String>,
}

impl Columns {
    /// The rows at `rows`; those on disk stay there.
    pub fn rows(&self, rows: &[i64]) -> Columns {
        let index = Tensor::from_slice(rows);
        let of = |t: &Option<Tensor>| t.as_ref().map(|t| t.index_select(0, &index));
        let on_disk = |side: &Option<DiskRows>| side.as_ref().map(|side| side.select(rows));
        Columns {
            x: of(&self.x),
            y: of(&self.y),
            z0: of(&self.z0),
            x_lengths: of(&self.x_lengths),
            y_lengths: of(&self.y_lengths),
            x_on_disk: on_disk(&self.x_on_disk),
            y_on_disk: on_disk(&self.y_on_disk),
            z0_on_disk: on_disk(&self.z0_on_disk),
            x_names: self.x_names.clone(),
            y_names: self.y_names.clone(),
            classes: self.classes.clone(),
            kept: match &self.kept[..] {
                [] => Vec::new(),
                kept => rows.iter().filter_map(|row| kept.get(*row as usize).copied()).collect(),
            },
            advice: self.advice.clone(),
        }
    }

    /// Puts the columns of a side into the order of `known`, by their names; nothing where either has none.
    ///
    /// # Errors
    /// A column of `known` that the table lacks, with those that it has.
    pub fn order_columns(&mut self, part: Part, known: &[String]) -> Result<()> {
        let (values, names) = match part {
            Part::X => (&mut self.x, &mut self.x_names),
            Part::Y => (&mut self.y, &mut self.y_names),
        };
        if known.is_empty() || names.is_empty() || names == known {
            return Ok(());
        }
        let place = |name: &String| {
            names.iter().position(|own| own == name).map(|place| place as i64).ok_or_else(|| {
                let help = suggestion(name, "columns", names.iter().map(String::as_str));
                Error::config("data", format!("there is no column `{name}`; {help}"))
            })
        };
        let places = known.iter().map(place).collect::<Result<Vec<_>>>()?;
        if let Some(values) =
            values.as_mut().filter(|v| v.size().get(1) == Some(&(names.len() as i64)))
        {
            *values = values.index_select(1, &Tensor::from_slice(&places));
        }
        *names = known.to_vec();
        Ok(())
    }

    /// Kind and shape of x or y `[n, …]`, wherever it is.
    pub fn layout(&self, part: Part) -> Option<(Kind, Vec<i64>)> {
        let (held, on_disk) = match part {
            Part::X => (&self.x, &self.x_on_disk),
            Part::Y => (&self.y, &self.y_on_disk),
        };
        let on_disk = on_disk.as_ref().map(|d| (d.kind(), [&[d.len()], d.shape()].concat()));
        held.as_ref().map(|t| (t.kind(), t.size())).or(on_disk)
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

/// Rows of a data source. Sets that are `None` are split off `train`.
#[derive(Debug, Default)]
pub struct Splits {
    /// Rows to learn from.
    pub train: Columns,
    /// Rows for validation while training.
    pub val: Option<Columns>,
    /// Rows for the final evaluation.
    pub test: Option<Columns>,
    /// Keys of the source that the data have decided, each with its value in YAML, such as
    /// `("x", "[height, width]")`. The run's `config.yaml` says them, so that later files are read in the same
    /// way.
    pub decided: Vec<(String, String)>,
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
    /// Shares of the rows. A set that the source has takes none.
    pub struct Split {
        /// Share to learn from; null: what the others leave.
        pub train: Option<f64> = None,
        /// Share for validation; null: 0.1, or 0 where the source has validation or test rows of its own.
        pub val: Option<f64> = None,
        /// Share for the final evaluation; null: likewise.
        pub test: Option<f64> = None,
    }
}

/// Where the rows of a data set are kept while they are used.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// All of them on the device.
    #[default]
    Device,
    /// In their file, from which batches are read ahead of the steps that use them.
    Disk,
}

parameters! {
    /// Keys that every data source takes.
    pub struct DataOptions {
        /// Scale every feature to mean 0 and deviation 1 (fitted on the training rows, undone on output;
        /// one-hot labels are left alone).
        pub standardise: bool = true,
        /// How rows are divided where the source does not say.
        pub split: Split = Split::default(),
        /// Names of the classes, in the order of their labels; empty: those of the training rows, numbers by
        /// size and texts by the alphabet. A run's `config.yaml` has them where they are not 0, 1, 2, …
        #[serde(deserialize_with = "names", skip_serializing_if = "Vec::is_empty")]
        #[schemars(with = "Vec<Name>")]
        pub classes: Vec<String> = Vec::new(),
        /// Where the rows are kept. `disk` is for a set larger than memory: rows stay in their file and
        /// batches of them are read ahead of the steps. It needs float32, or bytes of shape \[n, C, H, W\],
        /// in a safetensors file or an `.npz` that is not compressed.
        pub keep: Keep = Keep::Device,
    }
}

impl Common for DataOptions {
    const KEYS: &'static [&'static str] = &["standardise", "split", "classes", "keep"];
}

/// A class as it may be written: text, or a number or boolean that stands for the text of it.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "a class needs its name")]
enum Name {
    Text(String),
    Whole(i64),
    Number(f64),
    Boolean(bool),
}

fn names<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Vec<String>, D::Error> {
    use serde::Deserialize as _;
    let text = |name| match name {
        Name::Text(text) => text,
        Name::Whole(number) => number.to_string(),
        Name::Number(number) => number.to_string(),
        Name::Boolean(value) => value.to_string(),
    };
    Ok(Vec::<Name>::deserialize(d)?.into_iter().map(text).collect())
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
        /// All rows, those of x, y and z_0 left in their file.
        fn load_on_disk(&self) -> Result<Splits> {
            let message = "this data source cannot leave its rows on disk";
            Err(Error::config("keep", message).help(
                "`npz` (not compressed) and `safetensors` can; leave `keep` out to hold the rows on the device",
            ))
        }

        /// Sides of another file that is laid out as this source's own training rows: those in `parts` as in a
        /// [`Columns`], with their names and lengths.
        fn read(&self, path: &Path, parts: &[Part]) -> Result<Columns> {
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            let message = format!("this data source reads no {} from files", parts.join(" and "));
            Err(Error::data(path, message))
        }
    }
}

//! Data source of files of named arrays, such as `.npz` and safetensors.

use super::files::{check_alike, check_rows, check_shape, labels, numbers};
use super::padding;
use super::words::{Words, likely_y};
use std::path::{Path as FsPath, PathBuf};
use triflow::config::FilePath;
use triflow::error::suggestion;
use triflow::io::{ArrayData, DiskRows, NamedArray};
use triflow::log;
use triflow::prelude::*;
use triflow::tch::Kind;

/// Function that reads an array by name.
pub(super) type Get = Box<dyn Fn(&str) -> Result<NamedArray>>;

/// Function that reads a list of texts by name; `None` where there is none.
pub(super) type GetTexts = Box<dyn Fn(&str) -> Result<Option<Vec<String>>>>;

/// Function that locates the rows of an array in the file by name.
pub(super) type Find = Box<dyn Fn(&str) -> Result<Option<DiskRows>>>;

/// The named arrays of a file.
pub(super) struct ArrayFile {
    /// Names of the arrays.
    pub names: Vec<String>,
    /// Reads one of these arrays.
    pub get: Get,
    /// Reads a list of texts.
    pub texts: GetTexts,
    /// Locates the rows of one of these arrays; `None` for a list of integers.
    pub on_disk: Find,
    /// `true` if arrays `[n, T]` are sequences too.
    pub sequences: bool,
}

/// One of x, y and z_0: in memory, or on disk.
#[derive(Default)]
struct Side {
    held: Option<Tensor>,
    on_disk: Option<DiskRows>,
    /// Names of the classes of class labels; empty where they have none.
    classes: Vec<String>,
    /// Names of the columns; empty where they have none.
    columns: Vec<String>,
}

/// Name of the list of the names of classes.
const CLASSES: &str = "classes";

/// Reader of the arrays of a file.
#[derive(Clone, Copy)]
struct Reader<'a> {
    path: &'a FsPath,
    file: &'a ArrayFile,
    /// `true` if rows stay on disk.
    stay: bool,
    /// `true` if numbers may be missing.
    gaps: bool,
}

/// Opens a NumPy archive or a safetensors file, by its ending.
pub(super) fn open_sequences(path: &FsPath) -> Result<ArrayFile> {
    let file = match path.extension().and_then(|e| e.to_str()) {
        Some("npz") => super::npz::open(path)?,
        Some("safetensors") => super::safetensors::open(path)?,
        _ => {
            let message = "sequences are read from an .npz or a .safetensors file";
            return Err(Error::data(path, message));
        }
    };
    Ok(ArrayFile { sequences: true, ..file })
}

/// The names of the arrays of each set.
pub(super) struct ArrayNames {
    pub x: String,
    pub y: String,
    pub x_val: Option<String>,
    pub y_val: Option<String>,
    pub x_test: Option<String>,
    pub y_test: Option<String>,
    pub weights: Option<String>,
}

/// Data source of named arrays, for any format.
pub(super) struct Arrays {
    pub path: FilePath,
    pub base: PathBuf,
    pub split_column: Option<String>,
    pub names: ArrayNames,
    pub open: fn(&FsPath) -> Result<ArrayFile>,
}

impl Arrays {
    fn open(&self, path: &FsPath) -> Result<ArrayFile> {
        triflow::io::check_input(path)?;
        (self.open)(path)
    }
}

impl Arrays {
    fn splits(&self, stay: bool) -> Result<Splits> {
        let (path, names) = (&*self.base.join(&*self.path), &self.names);
        let file = self.open(path)?;
        let reader = Reader { path, file: &file, stay, gaps: false };
        // The usual names may be missing: generation can do without y.
        let lengths = |part: Part, set: &str| get_lengths(path, &file, part, set);
        let (x_lengths, y_lengths) = (lengths(Part::X, "")?, lengths(Part::Y, "")?);
        let usual = |name: &str, default: &str, lengths: &Option<Tensor>| {
            reader.side(name, default, name != default, lengths.as_ref())
        };
        let further = |name: &Option<String>, default: &str, lengths: &Option<Tensor>| {
            let own = name.as_deref().unwrap_or(default);
            reader.side(own, default, name.is_some(), lengths.as_ref())
        };
        let own = |name: &str| reader.side(name, "x", false, None);
        let mut train = table(
            [usual(&names.x, "x", &x_lengths)?, usual(&names.y, "y", &y_lengths)?, own("z0")?],
            [x_lengths, y_lengths],
        );
        check_rows(path, &train, [&format!("array `{}`", names.x), &format!("`{}`", names.y)])?;
        if let Some(name) = &names.weights {
            let weights = Reader { stay: false, ..reader }.side(name, "x", true, None)?.held;
            train.weights =
                weights.map(|weights| one_number_a_row(path, name, &weights)).transpose()?;
        }
        if let Some(name) = &self.split_column {
            train.split = Some(reader.split_column(name)?);
        }
        match (train.layout(Part::X), train.layout(Part::Y)) {
            (None, None) => {
                return Err(Error::data(
                    path,
                    format!(
                        "there is neither an array `x` nor `y`; say which they are with data.x and data.y; \
                         known arrays: {}",
                        file.names.join(", ")
                    ),
                ));
            }
            (None, _) | (_, None) => {
                let missing = if train.layout(Part::X).is_none() { "x" } else { "y" };
                train.advice = Some(advice(missing, &file.names));
                log::info!(
                    "{} has no array `{missing}`; known arrays: {}",
                    path.display(),
                    file.names.join(", ")
                );
            }
            _ => {}
        }
        let set = |x: &Option<String>, y: &Option<String>, set: &str| -> Result<Option<Columns>> {
            let (x_name, y_name) = (format!("x_{set}"), format!("y_{set}"));
            let z0 = own(&format!("z0_{set}"))?;
            let suffix = format!("_{set}");
            let (x_lengths, y_lengths) = (lengths(Part::X, &suffix)?, lengths(Part::Y, &suffix)?);
            let table = table(
                [further(x, &x_name, &x_lengths)?, further(y, &y_name, &y_lengths)?, z0],
                [x_lengths, y_lengths],
            );
            if table.layout(Part::X).is_none() && table.layout(Part::Y).is_none() {
                return Ok(None);
            }
            let x_name = x.as_deref().unwrap_or(&x_name);
            let y_name = y.as_deref().unwrap_or(&y_name);
            check_rows(path, &table, [&format!("array `{x_name}`"), &format!("`{y_name}`")])?;
            check_alike(path, &train, &table, set)?;
            Ok(Some(table))
        };
        let val = set(&names.x_val, &names.y_val, "val")?;
        let test = set(&names.x_test, &names.y_test, "test")?;
        Ok(Splits { train, val, test, ..Splits::default() })
    }
}

impl DataSource for Arrays {
    fn load(&self) -> Result<Splits> {
        self.splits(false)
    }

    fn load_on_disk(&self) -> Result<Splits> {
        self.splits(true)
    }

    fn read(&self, path: &FsPath, parts: &[Part]) -> Result<Columns> {
        self.table(path, parts, false)
    }

    fn read_incomplete(&self, path: &FsPath, part: Part) -> Result<Columns> {
        self.table(path, &[part], true)
    }
}

impl Arrays {
    /// The sides in `parts` of another file; with `gaps`, numbers may be missing.
    fn table(&self, path: &FsPath, parts: &[Part], gaps: bool) -> Result<Columns> {
        let file = self.open(path)?;
        let reader = Reader { path, file: &file, stay: false, gaps };
        let lengths = |part| get_lengths(path, &file, part, "");
        let mut table = Columns {
            x_lengths: lengths(Part::X)?,
            y_lengths: lengths(Part::Y)?,
            ..Columns::default()
        };
        for part in parts {
            let (name, default, lengths, values) = match part {
                Part::X => (&self.names.x, "x", &table.x_lengths, &mut table.x),
                Part::Y => (&self.names.y, "y", &table.y_lengths, &mut table.y),
            };
            let side = reader.side(name, default, true, lengths.as_ref())?;
            *values = side.held;
            match part {
                Part::X => table.x_columns = TableColumn::numbers(side.columns),
                Part::Y => {
                    (table.classes, table.y_columns) =
                        (side.classes, TableColumn::numbers(side.columns))
                }
            }
        }
        check_rows(
            path,
            &table,
            [&format!("array `{}`", self.names.x), &format!("`{}`", self.names.y)],
        )?;
        Ok(table)
    }
}

/// Advice how to name the array of the missing part x or y.
fn advice(missing: &str, names: &[String]) -> String {
    let used = |name: &str| {
        ["x", "y", "z0", "rows", CLASSES].contains(&name)
            || name.ends_with("lengths")
            || name.ends_with("_columns")
    };
    let free: Vec<String> = names.iter().filter(|name| !used(name)).cloned().collect();
    let known = format!("the file has the arrays {}", names.join(", "));
    match likely_y(&free) {
        Some(name) => format!("say which it is, as data.{missing}={name}; {known}"),
        None => known,
    }
}

/// The values `[n]` of an array `[n]` or `[n, 1]`.
fn one_number_a_row(path: &FsPath, name: &str, values: &Tensor) -> Result<Tensor> {
    match values.size()[..] {
        [n] | [n, 1] if values.is_floating_point() => Ok(values.reshape([n])),
        _ => Err(Error::data(path, format!("array `{name}` needs one number a row"))),
    }
}

/// Columns of x, y and z_0, and the lengths of x and y.
fn table([x, y, z0]: [Side; 3], [x_lengths, y_lengths]: [Option<Tensor>; 2]) -> Columns {
    Columns {
        x: x.held,
        y: y.held,
        z0: z0.held,
        x_lengths,
        y_lengths,
        x_on_disk: x.on_disk,
        y_on_disk: y.on_disk,
        z0_on_disk: z0.on_disk,
        classes: y.classes,
        x_columns: TableColumn::numbers(x.columns),
        y_columns: TableColumn::numbers(y.columns),
        ..Columns::default()
    }
}

/// Lengths of the sequences of a part, from the array `x_lengths` (or `y_lengths`), or `lengths`
/// for both; `suffix` is that of a set, such as `_val`.
fn get_lengths(
    path: &FsPath,
    file: &ArrayFile,
    part: Part,
    suffix: &str,
) -> Result<Option<Tensor>> {
    let names = [format!("{part}_lengths{suffix}"), format!("lengths{suffix}")];
    let Some(name) = names.iter().find(|name| file.names.contains(name)) else { return Ok(None) };
    let array = (file.get)(name)?;
    let values = array.data.to_i64().filter(|_| array.shape.len() == 1).ok_or_else(|| {
        let message = format!("array `{name}` needs one whole number a row, of an integer type");
        Error::data(path, message)
    })?;
    Ok(Some(Tensor::from_slice(&values)))
}

/// Writes zeros into the padding of each sequence, which may hold any values in a file.
fn clear_padding<T: Clone + Default>(
    values: &mut [T],
    shape: &[usize],
    lengths: &Tensor,
) -> Result<()> {
    let [rows, steps, rest @ ..] = shape else { return Ok(()) };
    let lengths: Vec<i64> = Vec::try_from(lengths)?;
    let (width, entries) = (rest.iter().product::<usize>(), steps * rest.iter().product::<usize>());
    for (i, length) in lengths.iter().enumerate().take(*rows) {
        let from = usize::try_from(*length).unwrap_or(0).min(*steps) * width;
        values[i * entries + from..(i + 1) * entries].fill(T::default());
    }
    Ok(())
}

impl Reader<'_> {
    /// The checked array `name`; without it an error if it `must` exist, else an empty side.
    /// `default` is its usual name (only those of y may hold class labels), `lengths` those of its
    /// rows if they are sequences.
    fn side(self, name: &str, default: &str, must: bool, lengths: Option<&Tensor>) -> Result<Side> {
        let Self { path, file, stay, gaps } = self;
        if !file.names.iter().any(|n| n == name) {
            let known = file.names.iter().map(String::as_str);
            return if must {
                let help = suggestion(name, "arrays", known);
                Err(Error::data(path, format!("there is no array `{name}`; {help}")))
            } else {
                Ok(Side::default())
            };
        }
        let on_disk = if stay { (file.on_disk)(name)? } else { None };
        if let Some(rows) = on_disk {
            let shape: Vec<usize> = std::iter::once(rows.len())
                .chain(rows.shape().iter().copied())
                .map(|n| n as usize)
                .collect();
            check_shape(path, &format!("array `{name}`"), &shape)?;
            let columns = self.columns(default, &[&[rows.len()], rows.shape()].concat())?;
            return Ok(Side { on_disk: Some(rows), columns, ..Side::default() });
        }
        if default.starts_with('y')
            && let Some(texts) = (file.texts)(name)?
        {
            let mut words = Words::default();
            texts.iter().for_each(|word| words.add(word));
            let (labels, classes) = words.labels(path, &format!("array `{name}`"))?;
            let columns = self.columns(default, &labels.size())?;
            return Ok(Side { held: Some(labels), classes, columns, on_disk: None });
        }
        let held = get((path, file), name, default, lengths, gaps)?;
        let classes = match held.kind() {
            Kind::Int64 if default.starts_with('y') => (file.texts)(CLASSES)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        let columns = self.columns(default, &held.size())?;
        Ok(Side { held: Some(held), classes, columns, on_disk: None })
    }

    /// The numbers or texts of the array by which rows are divided, one a row.
    fn split_column(self, name: &str) -> Result<SplitColumn> {
        if let Some(texts) = (self.file.texts)(name)? {
            return Ok(SplitColumn::of_texts(name, &texts));
        }
        let reader = Reader { stay: false, gaps: true, ..self };
        let values = reader.side(name, "x", true, None)?.held;
        let cells = values.filter(|values| values.numel() as i64 == values.size()[0]);
        let cells = cells.ok_or_else(|| {
            Error::data(self.path, format!("array `{name}` needs one number or text a row"))
        })?;
        let cells = Vec::try_from(cells.to_kind(Kind::Double).reshape([-1]))?;
        Ok(SplitColumn::of_numbers(name, cells))
    }

    /// Names of the columns of the array with the usual name `default` and this shape; empty where
    /// there are none, or another number of them.
    fn columns(self, default: &str, shape: &[i64]) -> Result<Vec<String>> {
        let list = format!("{default}_columns");
        let width = match shape {
            [_] => 1,
            [_, width] => *width as usize,
            _ => return Ok(Vec::new()),
        };
        let names = (self.file.texts)(&list)?.unwrap_or_default();
        Ok(if names.len() == width { names } else { Vec::new() })
    }
}

/// Values of the array `name`; see [`Reader::side`].
fn get(
    (path, file): (&FsPath, &ArrayFile),
    name: &str,
    default: &str,
    lengths: Option<&Tensor>,
    gaps: bool,
) -> Result<Tensor> {
    let array = (file.get)(name)?;
    let what = format!("array `{name}`");
    if let (ArrayData::U8(bytes), 4) = (&array.data, array.shape.len()) {
        check_shape(path, &what, &array.shape)?;
        let shape: Vec<i64> = array.shape.iter().map(|n| *n as i64).collect();
        return Ok(Tensor::from_slice(bytes).reshape(shape));
    }
    let is_float = matches!(array.data, ArrayData::F32(_) | ArrayData::F64(_));
    if !is_float && matches!(array.shape[..], [_] | [_, 1]) && default.starts_with('y') {
        let values = array.data.to_i64().ok_or_else(|| {
            Error::data(path, format!("{what} holds numbers that are too large for class labels"))
        })?;
        return labels(path, &what, &values);
    }
    let NamedArray { shape, mut data, .. } = array;
    if let Some(lengths) = lengths {
        match &mut data {
            ArrayData::F32(values) => clear_padding(values, &shape, lengths)?,
            ArrayData::F64(values) => clear_padding(values, &shape, lengths)?,
            other => {
                let mut values = other.to_f64();
                clear_padding(&mut values, &shape, lengths)?;
                *other = values.into();
            }
        }
    }
    // A sequence that goes on beyond its known positions is no padding.
    if !gaps && (file.sequences || lengths.is_some() || shape.len() == 3) {
        let values = data.clone().into_f32();
        padding::check(path, &what, default, &shape, &values, lengths)?;
    }
    numbers(path, &what, &shape, data, gaps)
}

/// Declares a data source of named arrays; its parameters are the same for every format.
macro_rules! array_source {
    (
        $(#[doc = $doc:literal])*
        #[extensions($($extension:literal),*)]
        pub struct $S:ident = $name:tt, $open:path
    ) => {
        triflow::component! {
            $(#[doc = $doc])*
            #[extensions($($extension),*)]
            #[example = concat!("{ type: ", $name, ", path: rows.", $name, " }")]
            pub struct $S: DataSource = $name {
                /// File of the arrays.
                pub path: triflow::config::FilePath,
                /// Name of the array of x; the default may be missing if the task needs no x.
                pub x: String = "x".into(),
                /// Name of the array of y; the default may be missing if the task needs no y.
                pub y: String = "y".into(),
                /// Name of the array of x for validation; null: `x_val` if it exists.
                pub x_val: Option<String> = None,
                /// Name of the array of y for validation; null: `y_val` if it exists.
                pub y_val: Option<String> = None,
                /// Name of the array of x for the final evaluation; null: `x_test` if it exists.
                pub x_test: Option<String> = None,
                /// Name of the array of y for the final evaluation; null: `y_test` if it exists.
                pub y_test: Option<String> = None,
                /// Name of the array with the weight of each training row, at least 0, for
                /// `training.row_weights: given`; null: none.
                pub weights: Option<String> = None,
            }
        }

        impl Spec<dyn DataSource> for $S {
            fn build(&self, ctx: &DataContext) -> Result<Box<dyn DataSource>> {
                let all = self.clone();
                Ok(Box::new(super::arrays::Arrays {
                    path: all.path,
                    base: ctx.base.clone(),
                    split_column: ctx.split_column.clone(),
                    names: super::arrays::ArrayNames {
                        x: all.x,
                        y: all.y,
                        x_val: all.x_val,
                        y_val: all.y_val,
                        x_test: all.x_test,
                        y_test: all.y_test,
                        weights: all.weights,
                    },
                    open: $open,
                }))
            }
        }
    };
}
pub(super) use array_source;

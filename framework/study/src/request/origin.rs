//! Files that samples begin at: rows of data, as other requests read them or as `generate` writes
//! them, and states.

use super::start::StartRequest;
use super::{Conditions, Inputs, check_rows, conditions, rows_of};
use crate::component::{Columns, Part};
use crate::config::Experiment;
use crate::data::Batch;
use crate::data::files::{place, read_columns, read_incomplete};
use crate::error::{Error, Result};
use crate::inference::Lengths;
use crate::io::{npz, read_texts, to_tensor};
use crate::sequence;
use crate::table::TableColumn;
use crate::trained::Trained;
use std::path::Path;
use tch::{Kind, Tensor};

/// Advice where a file lacks conditions.
const NO_CONDITION: &str =
    "the model takes a condition: a part of the file, or --labels or --condition";

/// Conditions, lengths and numbers of rows of targets or states.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Conditions: labels `[n]` or values `[n, …]`; `None` for an unconditional run.
    pub conditions: Option<Tensor>,
    /// Lengths of sequences.
    pub lengths: Lengths,
    /// Numbers of the file's rows that are used; empty if all are.
    pub kept: Vec<i64>,
}

impl Beside {
    /// Those of the rows at `index`, `[k]` int64.
    pub fn rows(&self, index: &Tensor) -> Result<Self> {
        let pick = |t: &Option<Tensor>| t.as_ref().map(|t| t.index_select(0, index));
        let lengths = &self.lengths;
        Ok(Self {
            conditions: pick(&self.conditions),
            lengths: Lengths { condition: pick(&lengths.condition), target: pick(&lengths.target) },
            kept: match &self.kept[..] {
                [] => Vec::new(),
                kept => Vec::try_from(Tensor::from_slice(kept).index_select(0, index))?,
            },
        })
    }

    fn with(self, asked: Option<Inputs>) -> Self {
        match asked {
            Some(Inputs { values, lengths: Lengths { condition, .. }, .. }) => Self {
                conditions: Some(values),
                lengths: Lengths { condition, ..self.lengths },
                ..self
            },
            None => self,
        }
    }
}

/// The part that the model learns, and the part that is its condition.
fn sides(model: &Trained) -> (Part, Part) {
    match model.experiment().task().learns_y() {
        true => (Part::Y, Part::X),
        false => (Part::X, Part::Y),
    }
}

/// Reads rows, normalised, with their conditions and lengths.
pub(super) fn complete(
    model: &Trained,
    file: &Path,
    ask: &StartRequest<'_>,
) -> Result<(Batch, Beside)> {
    let (learned, from) = sides(model);
    let mut table = table(model, file, ask, false)?;
    let n = table.layout(learned).map_or(0, |(_, shape)| shape[0]);
    let asked = asked(model, ask, n)?;
    let beside = beside(model, file, &table)?.with(asked);
    let (values, lengths) = match from {
        Part::X => (&mut table.x, &mut table.x_lengths),
        Part::Y => (&mut table.y, &mut table.y_lengths),
    };
    *values = beside.conditions.as_ref().map(Tensor::shallow_clone);
    *lengths = beside.lengths.condition.as_ref().map(Tensor::shallow_clone);
    if model.units().condition_is_label {
        table.classes.clone_from(&model.units().names.classes);
    }
    let rows = model.units().rows(table, model.experiment());
    Ok((rows.map_err(|e| Error::data(file, e.to_string()))?, beside))
}

/// Reads targets `[n, …]` in the data's own units that are NaN where they are unknown, with
/// their conditions and lengths; padding holds 0.
pub(super) fn incomplete(
    model: &Trained,
    file: &Path,
    ask: &StartRequest<'_>,
) -> Result<(Tensor, Beside)> {
    let (learned, _) = sides(model);
    let mut table = table(model, file, ask, true)?;
    let values = match learned {
        Part::X => table.x.take(),
        Part::Y => table.y.take(),
    };
    let values = values.ok_or_else(|| Error::data(file, format!("holds no {learned}")))?;
    let n = values.size()[0];
    let asked = asked(model, ask, n)?;
    let beside = beside(model, file, &table)?.with(asked);
    let values = match &beside.lengths.target {
        Some(lengths) => {
            let values = sequence::rows(values, &learned.to_string())?;
            let options = (Kind::Float, values.device());
            let mask =
                sequence::mask(lengths, (n, values.size()[1]), &learned.to_string(), options);
            sequence::keep(&values, mask.map_err(|e| Error::data(file, e.to_string()))?.as_ref())
        }
        None => values,
    };
    if !values.is_floating_point() || values.isnan().any().int64_value(&[]) == 0 {
        let help = match values.kind() {
            Kind::Uint8 => "give images as numbers from 0 to 1 instead of bytes, NaN where unknown",
            _ => "leave those empty, or NaN, that are to be sampled",
        };
        return Err(Error::data(file, "all entries are given").help(help));
    }
    Ok((values, beside))
}

/// The table of a file, in the order of the training rows. With `gaps`, targets may be missing;
/// without conditions of its own, the run or the flags need none.
fn table(model: &Trained, file: &Path, ask: &StartRequest<'_>, gaps: bool) -> Result<Columns> {
    let experiment = model.experiment();
    let (learned, from) = sides(model);
    let own = model.units().shapes.condition.is_some() && !ask.has_conditions();
    let table = match (generated(model, file)?, own, gaps) {
        (Some(table), ..) => {
            if own && table.layout(from).is_none() {
                let message = format!("holds no `{}` of its samples", condition_name(model));
                return Err(Error::data(file, message).help(NO_CONDITION));
            }
            table
        }
        (None, true, false) => match read_columns(experiment, file, &[learned, from]) {
            Ok(table) => table,
            Err(e) => {
                read_columns(experiment, file, &[learned])?;
                return Err(e.help(NO_CONDITION));
            }
        },
        (None, false, false) => read_columns(experiment, file, &[learned])?,
        (None, false, true) => read_incomplete(experiment, file, learned)?,
        (None, true, true) => {
            let table = read_incomplete(experiment, file, learned)?;
            let n = table.layout(learned).map_or(0, |(_, shape)| shape[0]);
            joined(table, conditions_of(model, file, from, n, NO_CONDITION)?, from)
        }
    };
    // A cell that no model can keep is not drawn anew in silence.
    if let Some((row, column, name)) = table.unknown_category(learned, &model.units().names.target)
    {
        let place = place_of(experiment, file, row);
        let message = format!("{place}: no training row has `{name}` in column `{column}`");
        return Err(Error::data(file, message).help("an empty cell is drawn"));
    }
    let table = model.units().align(table, experiment);
    table.map_err(|e| Error::data(file, e.to_string()))
}

/// The conditions of all `n` rows of a file that may lack cells of the targets.
///
/// # Errors
/// The file cannot be read, or a row has no condition.
pub(super) fn conditions_of(
    model: &Trained,
    file: &Path,
    from: Part,
    n: i64,
    help: &str,
) -> Result<Columns> {
    let experiment = model.experiment();
    let conditions = read_columns(experiment, file, &[from]).map_err(|e| e.help(help));
    let given = |table: &Columns| table.layout(from).map_or(0, |(_, shape)| shape[0]);
    if conditions.as_ref().is_ok_and(|conditions| given(conditions) == n) {
        return conditions;
    }
    // The first row whose conditions are all missing.
    let gap = || {
        let cells = read_incomplete(experiment, file, from).ok()?;
        let cells = if from == Part::X { cells.x } else { cells.y }?;
        let gaps = cells.isnan().flatten(1, -1).all_dim(1, false).nonzero();
        (gaps.numel() > 0).then(|| gaps.int64_value(&[0, 0]))
    };
    let conditions = conditions?;
    let message = match gap() {
        Some(row) => format!("{}: the row has no condition", place_of(experiment, file, row)),
        None => format!("{} of {n} rows have a condition", given(&conditions)),
    };
    Err(Error::data(file, message).help(help))
}

/// Place of a row of a file that lacks cells.
fn place_of(experiment: &Experiment, file: &Path, row: i64) -> String {
    let place = place(experiment, file, row, true);
    place.unwrap_or_else(|_| format!("row {row} (counted from 0)"))
}

/// `table` with the conditions `from` another one of the same file.
fn joined(table: Columns, conditions: Columns, from: Part) -> Columns {
    match from {
        Part::X => Columns {
            x: conditions.x,
            x_lengths: conditions.x_lengths,
            x_columns: conditions.x_columns,
            ..table
        },
        Part::Y => Columns {
            y: conditions.y,
            y_lengths: conditions.y_lengths,
            y_columns: conditions.y_columns,
            classes: conditions.classes,
            ..table
        },
    }
}

/// The table of a file that `generate` wrote; `None` for another one.
fn generated(model: &Trained, file: &Path) -> Result<Option<Columns>> {
    if !file.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
        return Ok(None);
    }
    let archive = Archive::open(file)?;
    if archive.has("x") || archive.has("y") {
        return Ok(None);
    }
    let Some(samples) = archive.array("samples")? else { return Ok(None) };
    let conditions = archive.array(condition_name(model))?;
    let classes = archive.texts("classes")?;
    let names = ["columns", "condition_columns"].map(|name| archive.texts(name));
    let [target, condition] = names;
    let names = (TableColumn::numbers(target?), TableColumn::numbers(condition?));
    let lengths = archive.lengths()?;
    let kept = archive.array("rows")?.map(Vec::try_from).transpose()?.unwrap_or_default();
    let table = Columns { classes, kept, ..Columns::default() };
    Ok(Some(match sides(model).0 {
        Part::X => Columns {
            x: Some(samples),
            y: conditions,
            x_lengths: lengths.target,
            y_lengths: lengths.condition,
            x_columns: names.0,
            y_columns: names.1,
            ..table
        },
        Part::Y => Columns {
            y: Some(samples),
            x: conditions,
            y_lengths: lengths.target,
            x_lengths: lengths.condition,
            y_columns: names.0,
            x_columns: names.1,
            ..table
        },
    }))
}

/// Conditions, lengths and numbers of the targets of a table.
fn beside(model: &Trained, file: &Path, table: &Columns) -> Result<Beside> {
    let (_, from) = sides(model);
    let (values, own, target) = match from {
        Part::X => (&table.x, &table.x_lengths, &table.y_lengths),
        Part::Y => (&table.y, &table.y_lengths, &table.x_lengths),
    };
    let has_condition = model.units().shapes.condition.is_some();
    let (values, own) = (values.as_ref(), own.as_ref());
    let conditions = values.filter(|_| has_condition).map(Tensor::shallow_clone);
    if let Some(conditions) = &conditions {
        check_rows(model, &rows_of(model, conditions)?, Some(file))?;
    }
    let lengths = match model.experiment().task().is_sequence() {
        true => Lengths {
            condition: own.filter(|_| has_condition).map(Tensor::shallow_clone),
            target: target.as_ref().map(Tensor::shallow_clone),
        },
        false => Lengths::default(),
    };
    Ok(Beside { conditions, lengths, kept: table.kept.clone() })
}

/// Conditions of `n` rows that flags ask for: one for all, or as many; `None` where there are none.
fn asked(model: &Trained, ask: &StartRequest<'_>, n: i64) -> Result<Option<Inputs>> {
    if !ask.has_conditions() {
        return Ok(None);
    }
    let (labels, file) = (ask.labels, ask.condition);
    let Some(inputs) = conditions(model, Conditions::of(labels, file))? else {
        let message = "this run takes no condition";
        return Err(Error::config("", message).help("leave --labels and --condition out"));
    };
    check_rows(model, &rows_of(model, &inputs.values)?, file)?;
    match inputs.values.size()[0] {
        given if given == n => Ok(Some(inputs)),
        1 => {
            let each = |t: Tensor| {
                let mut shape = t.size();
                shape[0] = n;
                t.expand(shape, false).contiguous()
            };
            let Lengths { condition, target } = inputs.lengths;
            let lengths = Lengths { condition: condition.map(each), target: target.map(each) };
            Ok(Some(Inputs { values: each(inputs.values), lengths, kept: Vec::new() }))
        }
        given => {
            let message = format!("{given} conditions for {n} rows: give one for all, or one each");
            let place = if labels.is_empty() { "--condition" } else { "--labels" };
            Err(Error::config("", message).placed(place))
        }
    }
}

/// Reads states and their time (`None`: they are z_0), with their conditions and lengths.
pub(super) fn states(
    model: &Trained,
    file: &Path,
    at: Option<f64>,
    ask: &StartRequest<'_>,
) -> Result<(Tensor, Option<f64>, Beside)> {
    let archive = Archive::open(file)
        .map_err(|e| e.help("states are written by --invert and by --save-z0"))?;
    let (name, at) = match (&archive.names[..], archive.has("z"), archive.has("z0")) {
        (_, true, _) => {
            let own = archive.array("t")?.map(|t| t.to_kind(Kind::Double).max().double_value(&[]));
            match (own, at) {
                (Some(own), Some(at)) if own != at => {
                    let message = format!("holds states at t = {own}, but --at is {at}");
                    return Err(Error::data(file, message));
                }
                (None, None) => {
                    return Err(Error::data(file, "holds states z without their time t")
                        .help("give it with --at"));
                }
                (own, at) => ("z", own.or(at)),
            }
        }
        (_, _, true) => ("z0", None),
        ([only], ..) => (only.as_str(), at),
        (names, ..) => {
            let message =
                format!("holds neither states `z` nor `z0`; known arrays: {}", names.join(", "));
            return Err(Error::data(file, message));
        }
    };
    let z = to_tensor(&npz::read_array(file, name)?)?;
    let (kind, device) = (model.model().vars.kind(), model.device());
    let z = z.to_kind(kind).to_device(device);
    let n = z.size().first().copied().unwrap_or(0);
    let asked = asked(model, ask, n)?;
    let mut beside = Beside { lengths: archive.lengths()?, ..Beside::default() };
    if model.units().shapes.condition.is_some() && asked.is_none() {
        let name = condition_name(model);
        beside.conditions = archive.array(name)?;
        if beside.conditions.is_none() {
            let message = format!("holds no `{name}` of its states");
            return Err(Error::data(file, message).help(NO_CONDITION));
        }
    }
    Ok((z, at, beside.with(asked)))
}

/// Name of the array of conditions beside samples or states.
fn condition_name(model: &Trained) -> &'static str {
    if model.units().condition_is_label { "labels" } else { "conditions" }
}

/// The arrays of a file.
struct Archive<'f> {
    file: &'f Path,
    names: Vec<String>,
}

impl<'f> Archive<'f> {
    fn open(file: &'f Path) -> Result<Self> {
        Ok(Self { file, names: npz::list_names(file)? })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    fn array(&self, name: &str) -> Result<Option<Tensor>> {
        let read = || to_tensor(&npz::read_array(self.file, name)?);
        self.has(name).then(read).transpose()
    }

    fn texts(&self, name: &str) -> Result<Vec<String>> {
        match self.has(name) {
            true => Ok(read_texts(self.file, name)?.unwrap_or_default()),
            false => Ok(Vec::new()),
        }
    }

    fn lengths(&self) -> Result<Lengths> {
        let target = self.array("lengths")?;
        Ok(Lengths { condition: self.array("condition_lengths")?, target })
    }
}

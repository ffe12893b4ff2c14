//! `generate` from another beginning than noise: states of a file, rows with noise added, rows some
//! of whose entries are given; and the way back from rows to states.

use super::counted;
use super::outputs::{Samples, check_out, write_samples, write_states};
use super::sampling::{self, check_memory, check_rows, load, rows_of, show_progress};
use crate::args::{SamplingArgs, StartArgs};
use std::path::Path;
use triflow::component::Part;
use triflow::data::Batch;
use triflow::data::files::{read_columns, read_incomplete};
use triflow::io::{npz, to_tensor};
use triflow::rng::Streams;
use triflow::tch::{Kind, Tensor};
use triflow::{Error, Lengths, Result, Start, Trained};

/// Beginning of the paths: a file, with a time.
#[derive(Debug)]
pub(super) enum Beginning<'a> {
    /// States of the path.
    From(&'a Path, Option<f64>),
    /// Rows to which noise is added.
    Edit(&'a Path, f64),
    /// Rows with unknown entries.
    Given(&'a Path),
    /// Rows, of which the states are written.
    Invert(&'a Path, Option<f64>),
}

impl<'a> Beginning<'a> {
    /// The beginning that flags ask for; `None`: noise.
    pub fn of(args: &'a StartArgs) -> Result<Option<Self>> {
        let (flags, at) = (&args.beginning, args.at);
        if let Some(at) = at.filter(|at| !(0.0..1.0).contains(at)) {
            return Err(Error::config("", format!("--at {at}: needs 0 <= at < 1")));
        }
        Ok(match (&flags.from, &flags.edit, &flags.given, &flags.invert) {
            (Some(file), ..) => Some(Self::From(file, at)),
            (_, Some(file), ..) => Some(Self::Edit(file, at.unwrap_or(0.0))),
            (_, _, Some(file), _) => Some(Self::Given(file)),
            (.., Some(file)) => Some(Self::Invert(file, at)),
            _ if at.is_some() => {
                let message = "--at is the time of --from, --edit or --invert, and none is given";
                return Err(Error::config("", message));
            }
            _ => None,
        })
    }
}

/// Number and conditions of the samples.
pub(super) struct Ask<'a> {
    /// Samples of each row.
    pub n: Option<i64>,
    /// Classes, or a file of conditions.
    pub asked: (&'a [String], Option<&'a Path>),
    pub sampling: &'a SamplingArgs,
}

/// Writes samples from a beginning, or states.
pub(super) fn generate(
    run: &Path,
    beginning: &Beginning<'_>,
    ask: &Ask<'_>,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    check_out(out)?;
    let (_, mut model) = load(run, ask.sampling)?;
    let _threads = model.threads();
    if model.experiment().task().is_sequence() {
        let message = "sequences are sampled from noise alone: leave this flag out";
        return Err(Error::config("", message));
    }
    let streams = Streams::new(ask.sampling.seed.unwrap_or_else(|| model.experiment().seed()), 0);
    let (samples, conditions, what) = match *beginning {
        Beginning::Invert(file, at) => {
            return invert(&mut model, (file, at), ask, (out, quiet));
        }
        Beginning::From(file, at) => {
            let (z, at) = states(&model, file, at)?;
            let n = z.size()[0];
            let conditions = match overriding(&model, ask, n)? {
                Some(asked) => Some(asked),
                None => conditions_beside_states(&model, file)?,
            };
            let start = Start::States { z: &z, at };
            let drawn = draw(&mut model, conditions.as_ref(), n, start, &streams, quiet)?;
            let what = at.map_or("z_0".to_owned(), |at| format!("states at t = {at}"));
            (drawn, conditions, format!("from {what}"))
        }
        Beginning::Edit(file, at) => {
            let (batch, conditions) = rows(&model, file, ask)?;
            let index = repeated(batch.len(), ask.n, batch.target.device());
            let batch = batch.rows(&index);
            let conditions =
                conditions.map(|all| all.index_select(0, &index.to_device(all.device())));
            let z = model.noised(&batch, at, &streams)?;
            let start = Start::States { z: &z, at: Some(at) };
            let n = batch.len();
            let drawn = draw(&mut model, conditions.as_ref(), n, start, &streams, quiet)?;
            (drawn, conditions, format!("edited from t = {at}"))
        }
        Beginning::Given(file) => {
            let part = learned(&model);
            let table = read_incomplete(model.experiment(), file, part)?;
            let table = model.units().align(table, model.experiment());
            let table = table.map_err(|e| Error::data(file, e.to_string()))?;
            let values = if part == Part::X { table.x } else { table.y };
            let values = values.ok_or_else(|| Error::data(file, format!("holds no {part}")))?;
            check_given(&model, &values).map_err(|message| Error::data(file, message))?;
            let index = repeated(values.size()[0], ask.n, values.device());
            let conditions = match overriding(&model, ask, values.size()[0])? {
                Some(asked) => Some(asked),
                None => own_conditions(&model, file)?,
            };
            let values = values.index_select(0, &index);
            let conditions = conditions.map(|all| all.index_select(0, &index));
            let given = model.given(&values)?;
            let (n, start) = (values.size()[0], Start::Given(&given));
            let drawn = draw(&mut model, conditions.as_ref(), n, start, &streams, quiet)?;
            // The given entries as they are in the file, without the rounding of units.
            let values = values.view_as(&drawn).to_kind(drawn.kind()).to_device(drawn.device());
            let drawn = values.where_self(&values.isnan().logical_not(), &drawn);
            (drawn, conditions, "with the given entries".to_owned())
        }
    };
    let n = samples.size()[0];
    let drawn = Samples { samples, conditions, lengths: None, z0: None, kept: Vec::new() };
    write_samples(out, drawn, model.units())?;
    println!("{}, {what}, in {}", counted(n, "sample"), out.display());
    Ok(())
}

/// Checks that rows have the shape of the model's, and an entry that is to be sampled.
fn check_given(model: &Trained, values: &Tensor) -> Result<(), String> {
    let (shape, own) = (&model.units().shapes.target, values.size());
    if own.len() > 1 && own[1..] != shape[..] {
        let own = &own[1..];
        return Err(format!(
            "rows have shape {own:?}, but this run was trained on rows of shape {shape:?}; a cell \
             that is unknown is empty"
        ));
    }
    if values.isnan().any().int64_value(&[]) == 0 {
        return Err("all entries are given; leave those empty that are to be sampled".to_owned());
    }
    Ok(())
}

/// Writes the states that lead to the rows of a file.
fn invert(
    model: &mut Trained,
    (file, at): (&Path, Option<f64>),
    ask: &Ask<'_>,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    if !out.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
        let message = format!("--invert needs an .npz file, and --out is {}", out.display());
        return Err(Error::config("", message).help("give --out a name that ends in .npz"));
    }
    let (batch, conditions) = rows(model, file, ask)?;
    show_progress(model, quiet, batch.len(), "states");
    let z = model.invert(&batch, at)?;
    write_states(out, &z, at, conditions.as_ref(), model.units())?;
    let states = counted(z.size()[0], "state");
    println!("{states} at t = {}, in {}", at.unwrap_or(0.0), out.display());
    Ok(())
}

/// Samples `n` rows in the data's own units.
fn draw(
    model: &mut Trained,
    conditions: Option<&Tensor>,
    n: i64,
    start: Start<'_>,
    streams: &Streams,
    quiet: bool,
) -> Result<Tensor> {
    check_memory(model, n, 1, true)?;
    show_progress(model, quiet, n, "samples");
    match conditions {
        Some(asked) => {
            let rows = rows_of(model, asked)?;
            model.generate_starting(&rows, &Lengths::default(), start, Some(streams))
        }
        None => model.sample_starting(n, None, start, streams),
    }
}

/// The side that the model learns.
fn learned(model: &Trained) -> Part {
    if model.experiment().task().learns_y() { Part::Y } else { Part::X }
}

/// Numbers of `rows` rows, each `n` times in a row.
fn repeated(rows: i64, n: Option<i64>, device: triflow::tch::Device) -> Tensor {
    let index = Tensor::arange(rows, (Kind::Int64, device));
    index.repeat_interleave_self_int(n.unwrap_or(1).max(1), 0, None::<i64>)
}

/// Rows of a file, normalised, with their conditions as they are written.
fn rows(model: &Trained, file: &Path, ask: &Ask<'_>) -> Result<(Batch, Option<Tensor>)> {
    let experiment = model.experiment();
    let learned = learned(model);
    let mut table = read_columns(experiment, file, &[learned])?;
    let side = if learned == Part::X { &table.x } else { &table.y };
    let n = side.as_ref().map_or(0, |side| side.size()[0]);
    let conditions = match overriding(model, ask, n)? {
        Some(asked) => Some(asked),
        None => own_conditions(model, file)?,
    };
    if let Some(conditions) = &conditions {
        let own = Some(conditions.shallow_clone());
        match learned {
            Part::X => table.y = own,
            Part::Y => table.x = own,
        }
        if model.units().condition_is_label {
            table.classes.clone_from(&model.units().names.classes);
        }
    }
    let rows = model.units().rows(table, experiment);
    Ok((rows.map_err(|e| Error::data(file, e.to_string()))?, conditions))
}

/// Conditions of the rows of a file of data; `None` for an unconditional run.
fn own_conditions(model: &Trained, file: &Path) -> Result<Option<Tensor>> {
    if model.units().shapes.condition.is_none() {
        return Ok(None);
    }
    let part = if learned(model) == Part::X { Part::Y } else { Part::X };
    let inputs = sampling::read(model, file, part).map_err(|e| {
        e.help("the model takes a condition: a part of the file, or --labels or --condition")
    })?;
    check_rows(model, &rows_of(model, &inputs.values)?, Some(file))?;
    Ok(Some(inputs.values))
}

/// Conditions of `n` rows that flags ask for: one for all, or as many; `None` where there are none.
fn overriding(model: &Trained, ask: &Ask<'_>, n: i64) -> Result<Option<Tensor>> {
    let (labels, file) = ask.asked;
    if labels.is_empty() && file.is_none() {
        return Ok(None);
    }
    let Some(inputs) = sampling::conditions(model, labels, file)? else {
        let message = "this run takes no condition";
        return Err(Error::config("", message).help("leave --labels and --condition out"));
    };
    let values = inputs.values;
    check_rows(model, &rows_of(model, &values)?, file)?;
    match values.size()[0] {
        1 => {
            let mut shape = values.size();
            shape[0] = n;
            Ok(Some(values.expand(shape, false).contiguous()))
        }
        given if given == n => Ok(Some(values)),
        given => {
            let message = format!("{given} conditions for {n} rows: give one for all, or one each");
            let place = if labels.is_empty() { "--condition" } else { "--labels" };
            Err(Error::config("", message).placed(place))
        }
    }
}

/// States of a file, and their time; `None`: they are z_0.
fn states(model: &Trained, file: &Path, at: Option<f64>) -> Result<(Tensor, Option<f64>)> {
    let names = npz::list_names(file);
    let names = names.map_err(|e| e.help("states are written by --invert and by --save-z0"))?;
    let has = |name: &str| names.iter().any(|known| known == name);
    let (name, at) = match (&names[..], has("z"), has("z0")) {
        (_, true, _) => {
            let own = match has("t") {
                true => Some(to_tensor(&npz::read_array(file, "t")?)?.to_kind(Kind::Double).max()),
                false => None,
            };
            let own = own.map(|t| t.double_value(&[]));
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
        _ => {
            let message =
                format!("holds neither states `z` nor `z0`; known arrays: {}", names.join(", "));
            return Err(Error::data(file, message));
        }
    };
    let z = to_tensor(&npz::read_array(file, name)?)?;
    let (kind, device) = (model.model().vars.kind(), model.device());
    Ok((z.to_kind(kind).to_device(device), at))
}

/// Conditions beside the states of a file.
fn conditions_beside_states(model: &Trained, file: &Path) -> Result<Option<Tensor>> {
    if model.units().shapes.condition.is_none() {
        return Ok(None);
    }
    let name = if model.units().condition_is_label { "labels" } else { "conditions" };
    if !npz::list_names(file)?.iter().any(|known| known == name) {
        let message = format!("holds no `{name}` of its states");
        return Err(Error::data(file, message).help("give them with --labels or --condition"));
    }
    Ok(Some(to_tensor(&npz::read_array(file, name)?)?))
}

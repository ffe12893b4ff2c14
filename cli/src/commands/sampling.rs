//! `generate`, `predict` and `evaluate`: a trained run at work.

use super::print_json;
use crate::args::SamplingArgs;
use serde_json::json;
use std::path::Path;
use triflow::component::{Part, Table};
use triflow::data::files::{array, read_lengths, read_part};
use triflow::data::{HeldOut, Set, one_hot};
use triflow::io::npz;
use triflow::measure::{self, Ask};
use triflow::run::{Run, Weights};
use triflow::sample::likelihood;
use triflow::tch::{Device, Kind, Tensor};
use triflow::{Error, Lengths, Result, Trained};

/// The trained run, sampled as the flags say.
pub(super) fn load(run: &Path, sampling: &SamplingArgs) -> Result<(Run, Trained)> {
    let run = Run::open(run)?.with_data_at(sampling.data_path.as_deref());
    let mut layers = run.layers()?;
    sampling.apply(&mut layers)?;
    let weights = if sampling.best { Weights::Best } else { Weights::Last };
    let model = run.load_as(layers.finish()?, weights).map_err(|e| layers.locate(e))?;
    Ok((run, model))
}

/// An error if `out` is no name for what is written, before any work is done.
fn check_out(out: &Path) -> Result<()> {
    if out.extension().is_some_and(|e| e == "npz") {
        return Ok(());
    }
    Err(Error::config("", format!("--out {}: the name must end in .npz", out.display())))
}

/// Draws samples into a file.
pub fn generate(
    run: &Path,
    n: Option<i64>,
    labels: &[i64],
    file: Option<&Path>,
    sampling: &SamplingArgs,
    out: &Path,
) -> Result<()> {
    check_out(out)?;
    let (_, mut model) = load(run, sampling)?;
    let seed = sampling.seed.unwrap_or_else(|| model.experiment().seed());
    let n = n.unwrap_or(if file.is_some() { 1 } else { 100 });
    if n < 1 {
        return Err(Error::config("", format!("--n {n}: needs at least 1")));
    }
    if !labels.is_empty() && model.units().shapes.condition.is_none() {
        return Err(Error::config("", "this run takes no labels").help("leave --labels out"));
    }
    let mut arrays = Vec::new();
    let samples = match (conditions(&model, labels, file)?, file) {
        (None, None) => model.sample(&[n], None, seed)?,
        (None, Some(_)) => {
            return Err(
                Error::config("", "this run takes no condition").help("leave --condition out")
            );
        }
        (Some(asked), _) => {
            let asked = asked.repeat_interleave_self_int(n, 0, None::<i64>);
            let rows = rows_of(&model, &asked)?;
            check_rows(&model, &rows, file)?;
            let name = if model.units().condition_is_label { "labels" } else { "conditions" };
            arrays.push(array(name, &asked)?);
            let mut lengths =
                file.map(|file| lengths_of(&model, file)).transpose()?.unwrap_or_default();
            for side in [&mut lengths.condition, &mut lengths.target] {
                let each = |t: &Tensor| t.repeat_interleave_self_int(n, 0, None::<i64>);
                *side = side.as_ref().map(each);
            }
            let samples = model.generate_sequences(&rows, &lengths, Some(seed))?;
            arrays.extend(lengths.target.map(|lengths| array("lengths", &lengths)).transpose()?);
            samples
        }
    };
    arrays.insert(0, array("samples", &samples)?);
    npz::write_npz(out, &arrays)?;
    println!("{} samples, seed {seed}, in {}", samples.size()[0], out.display());
    Ok(())
}

/// The conditions asked for: labels `[n]` or values `[n, …]`; none for a run that takes none.
fn conditions(model: &Trained, labels: &[i64], file: Option<&Path>) -> Result<Option<Tensor>> {
    let Some(shape) = model.units().shapes.condition.clone() else { return Ok(None) };
    let is_label = model.units().condition_is_label;
    match file {
        Some(file) => {
            let part = if model.experiment().task().learns_y() { Part::X } else { Part::Y };
            read_part(model.experiment(), file, part).map(Some)
        }
        None if is_label && labels.is_empty() => {
            Ok(Some(Tensor::arange(shape[0], (Kind::Int64, Device::Cpu))))
        }
        None if is_label => Ok(Some(Tensor::from_slice(labels))),
        None => Err(Error::config("", "this run's condition is not a label")
            .help("give a file of conditions with --condition FILE")),
    }
}

/// Conditions as the model takes them: labels become one-hot rows, single numbers rows of one.
fn rows_of(model: &Trained, asked: &Tensor) -> Result<Tensor> {
    let units = model.units();
    if model.experiment().task().is_sequence() {
        return triflow::sequence::rows(asked.shallow_clone(), "the condition");
    }
    if asked.dim() > 1 {
        return Ok(asked.shallow_clone());
    }
    if !units.condition_is_label {
        return Ok(asked.unsqueeze(1));
    }
    if asked.kind() != Kind::Int64 {
        return Err(Error::config("", "this run's condition is a label, but the file has numbers"));
    }
    let classes = units.shapes.condition.as_ref().map_or(0, |shape| shape[0]);
    one_hot(asked, classes)
}

/// How long the sequences of a file are, as its lengths of x and y say.
fn lengths_of(model: &Trained, file: &Path) -> Result<Lengths> {
    if !model.experiment().task().is_sequence() {
        return Ok(Lengths::default());
    }
    let read = |part| read_lengths(model.experiment(), file, part);
    Ok(Lengths { condition: read(Part::X)?, target: read(Part::Y)? })
}

/// An error if the rows of a file are not like those that the model was trained on.
fn check_rows(model: &Trained, rows: &Tensor, file: Option<&Path>) -> Result<()> {
    let (given, trained) = (rows.size()[1..].to_vec(), &model.units().shapes.condition);
    match (file, trained) {
        (Some(file), Some(trained)) if given != *trained => Err(Error::data(
            file,
            format!(
                "rows have shape {given:?}, but this run was trained on rows of shape {trained:?}"
            ),
        )),
        _ => Ok(()),
    }
}

/// Predicts the y of a file's x.
pub fn predict(
    run: &Path,
    data: &Path,
    samples: Option<u64>,
    sampling: &SamplingArgs,
    out: &Path,
) -> Result<()> {
    check_out(out)?;
    let (run, mut model) = load(run, sampling)?;
    if !model.experiment().task().predicts() {
        let help = format!("triflow generate --run {} --out samples.npz", run.path.display());
        return Err(Error::config("", "this run generates, it does not predict").help(help));
    }
    let rows = read_part(model.experiment(), data, Part::X)?;
    let rows = rows_of(&model, &rows)?;
    check_rows(&model, &rows, Some(data))?;
    let lengths = lengths_of(&model, data)?;
    let seed = match samples {
        Some(_) => Some(sampling.seed.unwrap_or_else(|| model.experiment().seed())),
        None => sampling.seed,
    };
    let drawn = model.predict_sequences(&rows, &lengths, seed, samples.unwrap_or(1))?;
    // Means are float64; the file has the precision of what was predicted.
    let own = |values: &Tensor| values.to_kind(model.units().target.mean.kind());
    let mut arrays = vec![array("predictions", &own(&drawn.mean))?];
    if samples.is_some() {
        arrays.push(array("std", &own(&drawn.deviation))?);
    }
    if model.units().target_is_label {
        arrays.push(array("labels", &drawn.mean.argmax(-1, false))?);
    }
    arrays.extend(lengths.target.map(|lengths| array("lengths", &lengths)).transpose()?);
    npz::write_npz(out, &arrays)?;
    let from = seed.map_or_else(|| "z_0 = 0".to_owned(), |seed| format!("seed {seed}"));
    println!("{} predictions, {from}, in {}", drawn.mean.size()[0], out.display());
    Ok(())
}

/// Measures a run again, on its own held-out rows or on those of a file.
pub fn evaluate(
    run: &Path,
    file: Option<&Path>,
    (draws, points): (u64, i64),
    likelihood_rows: Option<i64>,
    sampling: &SamplingArgs,
) -> Result<()> {
    let (run, mut model) = load(run, sampling)?;
    let ask = Ask { seed: sampling.seed, draws, only: None };
    let data;
    let held = match file {
        Some(file) => read_rows(&model, file, points)?,
        None => {
            data = run.data(&model)?;
            data.held_out(points)
        }
    };
    let likely = match likelihood_rows {
        Some(n) => Some(likelihood_of(&mut model, &held.rows.first(n), sampling)?),
        None => None,
    };
    let mut metrics = measure::evaluate(&mut model, &held, &ask)?.to_json();
    if let Some(likely) = likely {
        metrics["likelihood"] = likely.json;
    }
    print_json(&metrics)
}

/// The likelihood of rows, along the solver that was asked for, or a more exact one than samples need.
fn likelihood_of(
    model: &mut Trained,
    rows: &Set,
    sampling: &SamplingArgs,
) -> Result<likelihood::Measured> {
    let solver = match &sampling.solver {
        Some(_) => model.experiment().sampling.solver.clone(),
        None => serde_json::from_value(json!({ "type": "dopri5", "rtol": 1e-5, "atol": 1e-5 }))
            .map_err(|e| Error::runtime(e.to_string()))?,
    };
    let ask = likelihood::Ask {
        solver: &solver,
        steps: model.experiment().sampling.steps,
        probes: likelihood::PROBES,
        draws: likelihood::DRAWS,
        seed: sampling.seed.unwrap_or_else(|| model.experiment().seed()),
    };
    likelihood::measure(model, rows, &ask)
}

/// The rows of a file, to measure a model on.
fn read_rows(model: &Trained, file: &Path, points: i64) -> Result<HeldOut<'static>> {
    let experiment = model.experiment();
    let (sequences, both) = (experiment.task().is_sequence(), !experiment.unconditional);
    let read = |part, wanted: bool| wanted.then(|| read_part(experiment, file, part)).transpose();
    let lengths = |part| match sequences {
        true => read_lengths(experiment, file, part),
        false => Ok(None),
    };
    let table = Table {
        x: read(Part::X, both || !experiment.task().learns_y())?,
        y: read(Part::Y, both || experiment.task().learns_y())?,
        x_lengths: lengths(Part::X)?,
        y_lengths: lengths(Part::Y)?,
        ..Table::default()
    };
    let rows = model.units().rows(&table, experiment);
    let rows = rows.map_err(|e| Error::data(file, e.to_string()))?;
    let rows = if experiment.task().predicts() { rows } else { rows.first(points) };
    Ok(HeldOut { name: file.display().to_string(), rows, others: Vec::new(), train: None })
}

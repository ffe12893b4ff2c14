//! `generate`, `predict` and `evaluate`.

use super::outputs::{
    Samples, check_out, check_shape, check_z0_out, write_likelihoods, write_predictions,
    write_samples,
};
use super::seeds::{self, SampleSeeds};
use super::{counted, print_json};
use crate::args::SamplingArgs;
use serde_json::json;
use std::path::Path;
use triflow::component::{Columns, Part};
use triflow::config::parse_value;
use triflow::data::files::read_columns;
use triflow::data::{Batch, HeldOut, check_labels};
use triflow::error::quoted;
use triflow::measure::{self, GivenRows, Options, likelihood};
use triflow::rng::Streams;
use triflow::run::{Run, Weights};
use triflow::tch::{Device, Kind, Tensor};
use triflow::{Error, Experiment, Lengths, Result, Trained, memory};

/// Loads a trained run with the sampling of the flags, and warns of settings without effect.
pub(super) fn load(run: &Path, sampling: &SamplingArgs) -> Result<(Run, Trained)> {
    load_in(run, sampling, (None, &[]))
}

/// Loads a trained run with the sampling of the flags, measured in units and by further metrics,
/// and warns of settings without effect.
fn load_in(
    run: &Path,
    sampling: &SamplingArgs,
    measured: (Option<&str>, &[String]),
) -> Result<(Run, Trained)> {
    let (run, model) = open(run, sampling, measured)?;
    model.warn_unused("sampling.");
    Ok((run, model))
}

/// Loads a trained run with the sampling of the flags, measured in `units` and by further metrics,
/// without warnings.
pub(super) fn open(
    run: &Path,
    sampling: &SamplingArgs,
    (units, metrics): (Option<&str>, &[String]),
) -> Result<(Run, Trained)> {
    let run = Run::open(run)?.with_data_at(sampling.data_path.as_deref());
    let mut layers = run.layers()?;
    sampling.apply(&mut layers)?;
    if let Some(units) = units {
        layers.set("metrics.units", units.into(), "--units")?;
    }
    if !metrics.is_empty() {
        let own = layers.finish()?.metrics.extra;
        let own = serde_yaml::to_value(own).map_err(|e| Error::runtime(e.to_string()))?;
        let mut all = own.as_sequence().cloned().unwrap_or_default();
        for metric in metrics {
            let quoted = |e: Error| e.help(format!("in `--metric {metric}`"));
            all.push(parse_value(metric).map_err(quoted)?);
        }
        layers.set("metrics.extra", all.into(), "--metric")?;
    }
    let weights = if sampling.best { Weights::Best } else { Weights::Last };
    let experiment = Experiment { further: sampling.further(), ..layers.finish()? };
    // Wrong keys are reported before the model is loaded.
    experiment
        .data
        .with_keys(&experiment.further.0)
        .map_err(|e| e.under("data").placed("--set"))?;
    let model = run.load_as(experiment, weights).map_err(|e| layers.locate(e))?;
    Ok((run, model))
}

/// Writes samples to a file, with `save_z0` also the z_0 of each.
pub fn generate(
    run: &Path,
    n: Option<i64>,
    seeds: Option<&Path>,
    (labels, file): (&[String], Option<&Path>),
    sampling: &SamplingArgs,
    (out, save_z0, quiet): (&Path, bool, bool),
) -> Result<()> {
    check_out(out)?;
    if save_z0 {
        check_z0_out(out)?;
    }
    let (_, mut model) = load(run, sampling)?;
    let _threads = model.threads();
    check_shape(out, &model)?;
    let seed = sampling.seed.unwrap_or_else(|| model.experiment().seed());
    let wanted = match seeds {
        Some(file) => SampleSeeds::Seeds(seeds::read(file)?),
        None => {
            let n = n.unwrap_or(if file.is_some() { 1 } else { 100 });
            if n < 1 {
                return Err(Error::config("", format!("--n {n}: needs at least 1")));
            }
            SampleSeeds::Samples { n, seed }
        }
    };
    let n = wanted.len();
    if !labels.is_empty() && model.units().shapes.condition.is_none() {
        return Err(Error::config("", "this run takes no labels").help("leave --labels out"));
    }
    let drawn = match (conditions(&model, labels, file)?, file) {
        (None, None) => {
            check_memory(&model, n, 1, save_z0)?;
            let streams = wanted.streams();
            show_progress(&mut model, quiet, n, "samples");
            let samples = model.sample_from(n, None, &streams)?;
            let z0 = save_z0.then(|| model.z0(n, Some(&streams))).transpose()?;
            Samples { samples, conditions: None, lengths: Lengths::default(), z0, kept: Vec::new() }
        }
        (None, Some(_)) => {
            return Err(
                Error::config("", "this run takes no condition").help("leave --condition out")
            );
        }
        (Some(Inputs { values: asked, mut lengths, kept }), _) => {
            check_memory(&model, n, asked.size().first().copied().unwrap_or(1), save_z0)?;
            let streams = wanted.streams_of(&asked, file.is_some())?;
            let each = |t: &Tensor| t.repeat_interleave_self_int(n, 0, None::<i64>);
            let asked = each(&asked);
            let rows = rows_of(&model, &asked)?;
            check_rows(&model, &rows, file)?;
            for side in [&mut lengths.condition, &mut lengths.target] {
                *side = side.as_ref().map(each);
            }
            show_progress(&mut model, quiet, asked.size()[0], "samples");
            let samples = model.generate_sequences(&rows, &lengths, Some(&streams))?;
            let z0 = save_z0.then(|| model.z0(asked.size()[0], Some(&streams))).transpose()?;
            let kept = kept.into_iter().flat_map(|row| vec![row; n as usize]).collect();
            Samples { samples, conditions: Some(asked), lengths, z0, kept }
        }
    };
    let n = drawn.samples.size()[0];
    write_samples(out, drawn, &model)?;
    println!("{}, {}, in {}", counted(n, "sample"), wanted.origin(), out.display());
    Ok(())
}

/// Shows the progress of sampling `all` rows, which are called `what`.
pub(super) fn show_progress(model: &mut Trained, quiet: bool, all: i64, what: &'static str) {
    let mut shown = crate::progress::Sampling::new(quiet, all, what);
    model.observe_rows(move |rows| shown.add(rows));
}

/// Checks that memory holds `n` samples of each condition, and the arrays that are written of them.
pub(super) fn check_memory(model: &Trained, n: i64, conditions: i64, save_z0: bool) -> Result<()> {
    let entries = |shape: &[i64]| shape.iter().product::<i64>().max(1) as u64;
    let units = model.units();
    let condition = match &units.shapes.condition {
        Some(shape) if !units.condition_is_label => entries(shape),
        _ => 1,
    };
    let latent = if save_z0 { entries(model.model().latent_shape()) } else { 0 };
    // Each number as sampled and as written, 8 bytes at most; and the row's random stream.
    let row = 16 * (entries(&units.shapes.target) + condition + latent) + 48;
    let rows = (n as u64).saturating_mul(conditions as u64);
    memory::check_count(&format!("a file of {rows} samples"), rows, row)
}

/// The requested conditions; `None` for an unconditional run.
pub(super) fn conditions(
    model: &Trained,
    labels: &[String],
    file: Option<&Path>,
) -> Result<Option<Inputs>> {
    let Some(shape) = model.units().shapes.condition.clone() else { return Ok(None) };
    let is_label = model.units().condition_is_label;
    let asked = match file {
        Some(file) => {
            let part = if model.experiment().task().learns_y() { Part::X } else { Part::Y };
            return read(model, file, part).map(Some);
        }
        None if is_label && labels.is_empty() => {
            Tensor::arange(shape[0], (Kind::Int64, Device::Cpu))
        }
        None if is_label => {
            let labels = labels.iter().map(|name| model.units().label(name.trim()));
            let labels = labels.collect::<Result<Vec<_>>>().map_err(|e| e.placed("--labels"))?;
            Tensor::from_slice(&labels)
        }
        None => {
            return Err(Error::config("", "this run's condition is not a label")
                .help("give a file of conditions with --condition FILE"));
        }
    };
    Ok(Some(Inputs { values: asked, lengths: Lengths::default(), kept: Vec::new() }))
}

/// Conditions of samples or predictions.
pub(super) struct Inputs {
    /// Labels `[n]` or values `[n, …]`.
    pub values: Tensor,
    /// Lengths of sequences.
    pub lengths: Lengths,
    /// Numbers of the file's rows that are used; empty if all are.
    pub kept: Vec<i64>,
}

/// Reads one side of a file, with columns and labels in the order of the training rows.
pub(super) fn read(model: &Trained, file: &Path, part: Part) -> Result<Inputs> {
    let experiment = model.experiment();
    let table = read_columns(experiment, file, &[part])?;
    let table = model.units().align(table, experiment);
    let table = usable(model, table.map_err(|e| Error::data(file, e.to_string()))?, (file, part))?;
    let values = match part {
        Part::X => table.x,
        Part::Y => table.y,
    };
    let values = values.ok_or_else(|| Error::data(file, format!("holds no {part}")))?;
    let values = model.units().condition_rows(&values);
    let values = values.map_err(|e| Error::data(file, e.to_string()))?;
    let lengths = match experiment.task().is_sequence() {
        true => Lengths { condition: table.x_lengths, target: table.y_lengths },
        false => Lengths::default(),
    };
    Ok(Inputs { values, lengths, kept: table.kept })
}

/// Leaves out the rows with a gap in a column of the conditions in which no training row has one.
fn usable(model: &Trained, table: Columns, (file, part): (&Path, Part)) -> Result<Columns> {
    let conditions = match part {
        Part::X => &table.x,
        Part::Y => &table.y,
    };
    let Some(values) = conditions else { return Ok(table) };
    let Some(complete) = model.units().complete_conditions(values) else { return Ok(table) };
    let n = values.size()[0];
    let left_out = n - complete.len() as i64;
    if complete.is_empty() {
        let message =
            format!("each row has a gap in a column of {part} in which no training row has one");
        return Err(Error::data(file, message).help("fill the missing cells"));
    }
    log::warn!(
        "{}: left out {} with a gap in a column of {part} in which no training row has one; `row` \
         in the output is the number of each other row in the file, from 0",
        file.display(),
        counted(left_out, "row")
    );
    let kept = match &table.kept[..] {
        [] => (0..n).collect(),
        kept => kept.to_vec(),
    };
    Ok(Columns { kept, ..table }.rows(&complete))
}

/// Conditions in the form that the model takes: labels `[n]`, which the model makes one-hot a block
/// at a time, or rows `[n, …]`; single numbers become rows of one.
pub(super) fn rows_of(model: &Trained, asked: &Tensor) -> Result<Tensor> {
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
    check_labels(asked, classes)?;
    Ok(asked.shallow_clone())
}

/// Checks that the rows of a file have the shape of the training rows.
pub(super) fn check_rows(model: &Trained, rows: &Tensor, file: Option<&Path>) -> Result<()> {
    if rows.dim() == 1 {
        return Ok(());
    }
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
    (samples, seeds): (Option<u64>, Option<&Path>),
    sampling: &SamplingArgs,
    (out, quiet): (&Path, bool),
) -> Result<()> {
    check_out(out)?;
    let (run, mut model) = load(run, sampling)?;
    let _threads = model.threads();
    if !model.experiment().task().predicts() {
        let help = format!("triflow generate --run {} --out samples.npz", quoted(&run.path));
        return Err(Error::config("", "this run generates, it does not predict").help(help));
    }
    check_shape(out, &model)?;
    let Inputs { values, lengths, kept } = read(&model, data, Part::X)?;
    let rows = rows_of(&model, &values)?;
    check_rows(&model, &rows, Some(data))?;
    let seed = match samples {
        Some(_) => Some(sampling.seed.unwrap_or_else(|| model.experiment().seed())),
        None => sampling.seed,
    };
    if seed.is_none() && seeds.is_none() && sampling.noise.is_some() {
        log::warn!("`--noise` has no effect: without --seed, --seeds or --samples, z_0 is 0");
    }
    let given = seeds.map(|file| seeds::for_rows(file, rows.size()[0])).transpose()?;
    let streams = match &given {
        Some(seeds) => Some(Streams::of_seeds(seeds)),
        None => seed.map(|seed| Streams::new(seed, 0)),
    };
    let draws = samples.unwrap_or(1);
    let all = rows.size()[0].saturating_mul(i64::try_from(draws).unwrap_or(i64::MAX));
    show_progress(&mut model, quiet, all, if draws > 1 { "draws" } else { "predictions" });
    let drawn = model.predict_sequences(&rows, &lengths, streams.as_ref(), draws)?;
    let beside = (lengths.target, &kept[..]);
    write_predictions(out, &drawn, samples.is_some(), beside, model.units())?;
    let from = match (&given, seed) {
        (Some(_), _) => "a seed a row".to_owned(),
        (None, Some(seed)) => format!("seed {seed}"),
        (None, None) => "z_0 = 0".to_owned(),
    };
    let predictions = counted(drawn.mean.size()[0], "prediction");
    println!("{predictions}, {from}, in {}", out.display());
    Ok(())
}

/// Measures a run again, on its own held-out rows or on those of a file; or generated rows of
/// another file in place of its samples.
pub fn evaluate(
    run: &Path,
    (file, samples): (Option<&Path>, Option<&Path>),
    (draws, points): (u64, i64),
    measured: (Option<&str>, &[String]),
    likelihood_rows: Option<(i64, Option<&Path>)>,
    sampling: &SamplingArgs,
) -> Result<()> {
    if let Some((_, Some(out))) = likelihood_rows {
        check_out(out)?;
    }
    let (run, mut model) = load_in(run, sampling, measured)?;
    let _threads = model.threads();
    let options = Options { seed: sampling.seed, draws, ..Options::default() };
    let data;
    let held = match file {
        Some(file) => {
            let rows = read_rows(&model, file)?;
            let rows =
                if model.experiment().task().predicts() { rows } else { rows.spread(points) };
            HeldOut { name: file.display().to_string(), rows, others: None, train: None }
        }
        None => {
            data = run.data(&model)?;
            data.held_out(points)?
        }
    };
    let likely = match likelihood_rows {
        Some((n, out)) => {
            let rows = held.rows.spread(n);
            let likely = likelihood_of(&mut model, &rows, sampling)?;
            if let Some(out) = out {
                write_likelihoods(out, &likely.rows, &rows.target, model.units())?;
            }
            Some(likely)
        }
        None => None,
    };
    let measured = match samples {
        Some(file) => {
            let given =
                GivenRows { name: file.display().to_string(), rows: read_rows(&model, file)? };
            measure::evaluate_given(&mut model, &held, &given, &options)
                .map_err(|e| e.placed("--samples"))?
        }
        None => measure::evaluate(&mut model, &held, &options)?,
    };
    let mut metrics = measured.to_json();
    if let Some(likely) = likely {
        metrics["likelihood"] = likely.json;
    }
    print_json(&metrics)
}

/// Computes the likelihood of rows with the requested solver, or with a more exact one than samples
/// need.
fn likelihood_of(
    model: &mut Trained,
    rows: &Batch,
    sampling: &SamplingArgs,
) -> Result<likelihood::Measured> {
    let solver = match &sampling.solver {
        Some(_) => model.experiment().sampling.solver.clone(),
        None => serde_json::from_value(json!({ "type": "dopri5", "rtol": 1e-5, "atol": 1e-5 }))
            .map_err(|e| Error::runtime(e.to_string()))?,
    };
    let options = likelihood::Options {
        solver: &solver,
        steps: model.experiment().sampling.steps,
        probes: likelihood::PROBES,
        draws: likelihood::DRAWS,
        seed: sampling.seed.unwrap_or_else(|| model.experiment().seed()),
    };
    likelihood::measure(model, rows, &options)
}

/// Reads the rows of a file, to measure a model on.
fn read_rows(model: &Trained, file: &Path) -> Result<Batch> {
    let experiment = model.experiment();
    let learned = if experiment.task().learns_y() { Part::Y } else { Part::X };
    let parts = match experiment.unconditional {
        true => vec![learned],
        false => vec![Part::X, Part::Y],
    };
    let table = read_columns(experiment, file, &parts)?;
    let rows = model.units().rows(table, experiment);
    rows.map_err(|e| Error::data(file, e.to_string()))
}

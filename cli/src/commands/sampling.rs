//! `generate`, `predict` and `evaluate`.

use super::outputs::{check_out, check_z0_out, write_likelihoods};
use super::print_json;
use crate::args::SamplingArgs;
use serde_json::json;
use std::path::Path;
use triflow::component::Part;
use triflow::data::files::read_columns;
use triflow::data::{Batch, HeldOut};
use triflow::measure::{self, GivenRows, Options, likelihood};
use triflow::request::{self, Conditions, PredictionRequest, SampleRequest, Seeds, check_shape};
use triflow::{Error, Result, Trained};

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
    let (_, mut model) = request::load(run, &sampling.options())?;
    let _threads = model.threads();
    check_shape(out, &model)?;
    let seeds = seeds.map(Seeds::read).transpose()?;
    let conditions = Conditions::of(labels, file);
    let request = SampleRequest { n, seed: sampling.seed, seeds, conditions, save_z0 };
    let show = &mut |model: &mut Trained, n, what| show_progress(model, quiet, n, what);
    let samples = request::generate(&mut model, request, show)?;
    samples.write(out, &model)?;
    println!("{samples}, in {}", out.display());
    Ok(())
}

/// Shows the progress of sampling `all` rows, which are called `what`.
pub(super) fn show_progress(model: &mut Trained, quiet: bool, all: i64, what: &'static str) {
    let mut shown = crate::progress::Sampling::new(quiet, all, what);
    model.observe_rows(move |rows| {
        shown.add(rows);
        Ok(())
    });
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
    let (run, mut model) = request::load(run, &sampling.options())?;
    let _threads = model.threads();
    request::check_predicts(&run, &model)?;
    check_shape(out, &model)?;
    let seeds = seeds.map(Seeds::read).transpose()?;
    let x = Conditions::File(data);
    let request = PredictionRequest { samples, seed: sampling.seed, seeds, x };
    let show = &mut |model: &mut Trained, n, what| show_progress(model, quiet, n, what);
    let predictions = request::predict((&run, &mut model), request, show)?;
    predictions.write(out, &model)?;
    println!("{predictions}, in {}", out.display());
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
    let (units, metrics) = (measured.0.map(str::to_owned), measured.1.to_vec());
    let (run, mut model) =
        request::load(run, &request::Options { units, metrics, ..sampling.options() })?;
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

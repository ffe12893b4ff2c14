//! Measurements of a trained run, on its own held-out rows or on those of a file.

use crate::component::{Part, Solver};
use crate::data::files::read_columns;
use crate::data::{Batch, HeldOut};
use crate::error::{Error, Result};
use crate::measure::likelihood::{self, RowLikelihoods};
use crate::measure::{self, GivenRows, Options};
use crate::registry::Component;
use crate::run::Run;
use crate::trained::Trained;
use serde_json::Value;
use std::path::Path;
use tch::Tensor;

/// A request for metrics.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationRequest<'a> {
    /// File to measure on; `None`: the run's held-out rows.
    pub data: Option<&'a Path>,
    /// File of generated rows to measure in place of the model's own samples.
    pub samples: Option<&'a Path>,
    /// Seed of z_0; `None`: that of the measurement after training.
    pub seed: Option<u64>,
    /// Number of draws.
    pub draws: u64,
    /// Largest number of held-out rows.
    pub points: i64,
    /// Number of rows whose likelihood is computed, and the solver that integrates it; `None`: of
    /// none.
    pub likelihood: Option<(i64, &'a Component<dyn Solver>)>,
}

/// Results of a measurement.
#[derive(Debug)]
pub struct Evaluation {
    /// The metrics, as `metrics.json` has them.
    pub metrics: Value,
    /// Likelihoods of rows, and these rows, normalised.
    pub likelihood: Option<(RowLikelihoods, Tensor)>,
}

/// Measures a run.
///
/// # Errors
/// [`Error::Config`]: the measurement is not possible with this run. [`Error::Data`]: a file cannot
/// be read, or does not fit the run.
pub fn evaluate(
    (run, model): (&Run, &mut Trained),
    request: EvaluationRequest<'_>,
) -> Result<Evaluation> {
    let EvaluationRequest { data: file, samples, seed, draws, points, .. } = request;
    let options = Options { seed, draws, ..Options::default() };
    let data;
    let held = match file {
        Some(file) => {
            let rows = read_rows(model, file)?;
            let rows =
                if model.experiment().task().predicts() { rows } else { rows.spread(points) };
            HeldOut { name: file.display().to_string(), rows, others: None, train: None }
        }
        None => {
            data = run.data(model)?;
            data.held_out(points)?
        }
    };
    let likely = match request.likelihood {
        Some((n, solver)) => {
            let rows = held.rows.spread(n);
            let likely = likelihood_of(model, &rows, (solver, seed))?;
            Some((likely, rows.target.shallow_clone()))
        }
        None => None,
    };
    let measured = match samples {
        Some(file) => {
            let given =
                GivenRows { name: file.display().to_string(), rows: read_rows(model, file)? };
            measure::evaluate_given(model, &held, &given, &options)
                .map_err(|e| e.placed("--samples"))?
        }
        None => measure::evaluate(model, &held, &options)?,
    };
    let mut metrics = measured.to_json();
    let likelihood = likely.map(|(likely, target)| {
        metrics["likelihood"] = likely.json;
        (likely.rows, target)
    });
    Ok(Evaluation { metrics, likelihood })
}

/// Computes the likelihood of rows with a solver.
fn likelihood_of(
    model: &mut Trained,
    rows: &Batch,
    (solver, seed): (&Component<dyn Solver>, Option<u64>),
) -> Result<likelihood::Measured> {
    let options = likelihood::Options {
        solver,
        steps: model.experiment().sampling.steps,
        probes: likelihood::PROBES,
        draws: likelihood::DRAWS,
        seed: seed.unwrap_or_else(|| model.experiment().seed()),
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

//! Predictions of a trained run for further rows.

use super::seeds::Seeds;
use super::together::{Draw, Planned, check_limit, parts};
use super::{
    Begin, Conditions, Inputs, Output, check_rows, check_values, conditions, counted, row_array,
    rows_of,
};
use crate::data::files::array;
use crate::data::{Predicted, Table};
use crate::error::{Error, Result, quoted};
use crate::inference::Prediction;
use crate::io::NamedArray;
use crate::rng::Streams;
use crate::run::Run;
use crate::trained::Trained;
use tch::Tensor;

/// A request for predictions.
#[derive(Debug)]
pub struct PredictionRequest<'a> {
    /// Number of draws of each prediction; `None`: one, without deviations.
    pub samples: Option<u64>,
    /// Seed of z_0; `None`: the run's with `samples`, and z_0 = 0 without.
    pub seed: Option<u64>,
    /// A seed for each row, in place of `seed`.
    pub seeds: Option<Seeds>,
    /// The x to predict from.
    pub x: Conditions<'a>,
    /// Largest number of draws of all rows together; `None`: any.
    pub limit: Option<i64>,
}

/// Predictions with what belongs to them.
#[derive(Debug)]
pub struct Predictions {
    /// Mean and deviation over the draws.
    pub drawn: Prediction,
    /// True if the deviations are a part of the result.
    pub spread: bool,
    /// Lengths of predicted sequences.
    pub lengths: Option<Tensor>,
    /// Numbers of the rows of x that are used; empty if all are.
    pub kept: Vec<i64>,
    /// Description of the seeds for readers, such as `seed 1`.
    pub origin: String,
}

/// Checks that a run predicts.
///
/// # Errors
/// [`Error::Config`]: it generates.
pub fn check_predicts(run: &Run, model: &Trained) -> Result<()> {
    if model.experiment().task().predicts() {
        return Ok(());
    }
    let help = format!("triflow generate --run {} --out samples.npz", quoted(&run.path));
    Err(Error::config("", "this run generates, it does not predict").help(help))
}

/// A request for predictions whose x and random streams are known.
#[derive(Debug)]
pub struct PredictionPlan {
    draw: Draw,
    spread: bool,
    kept: Vec<i64>,
    origin: String,
}

/// Predicts the y of x.
///
/// # Errors
/// Those of [`plan_predictions`] and [`Trained::predict_sequences`].
pub fn predict(
    (run, model): (&Run, &mut Trained),
    request: PredictionRequest<'_>,
    begin: &mut Begin<'_>,
) -> Result<Predictions> {
    let plan = plan_predictions((run, model), request)?;
    begin(model, plan.rows(), if plan.draw.draws > 1 { "draws" } else { "predictions" });
    let drawn = PredictionPlan::draw_all(&[&plan], model)?.pop();
    drawn.ok_or_else(|| Error::runtime("nothing was predicted"))
}

/// Checks a request for predictions, and finds their x and random streams.
///
/// # Errors
/// [`Error::Config`]: the run generates. [`Error::Data`]: x has another shape than the training
/// rows, or there is another number of seeds than rows. Those of [`conditions`].
pub fn plan_predictions(
    (run, model): (&Run, &Trained),
    request: PredictionRequest<'_>,
) -> Result<PredictionPlan> {
    check_predicts(run, model)?;
    let PredictionRequest { samples, seed, seeds, x, limit } = request;
    let file = x.origin();
    let Some(Inputs { values, lengths, kept }) = conditions(model, x)? else {
        return Err(Error::config("", "this run takes no x"));
    };
    let rows = rows_of(model, &values)?;
    check_rows(model, &rows, file)?;
    check_values(model, &rows, lengths.condition.as_ref(), file)?;
    let seed = match samples {
        Some(_) => Some(seed.unwrap_or_else(|| model.experiment().seed())),
        None => seed,
    };
    if seed.is_none() && seeds.is_none() && model.experiment().flags.has("sampling.noise") {
        log::warn!("`--noise` has no effect: without --seed, --seeds or --samples, z_0 is 0");
    }
    if let Some(seeds) = &seeds {
        seeds.check_rows(rows.size()[0])?;
    }
    let streams = match &seeds {
        Some(seeds) => Some(Streams::of_seeds(&seeds.values)),
        None => seed.map(|seed| Streams::new(seed, 0)),
    };
    let origin = match (&seeds, seed) {
        (Some(_), _) => "a seed a row".to_owned(),
        (None, Some(seed)) => format!("seed {seed}"),
        (None, None) => "z_0 = 0".to_owned(),
    };
    let (n, draws) = (rows.size()[0], samples.unwrap_or(1));
    check_limit(all_draws(n, draws), limit, "draws")?;
    let conditions = Some(rows);
    let draw = Draw { n, conditions, lengths, streams, draws };
    let spread = samples.is_some_and(|draws| draws > 1);
    Ok(PredictionPlan { draw, spread, kept, origin })
}

/// Number of draws of all of `n` rows.
fn all_draws(n: i64, draws: u64) -> i64 {
    n.saturating_mul(i64::try_from(draws).unwrap_or(i64::MAX))
}

impl Planned for PredictionPlan {
    type Drawn = Predictions;

    fn rows(&self) -> i64 {
        all_draws(self.draw.n, self.draw.draws)
    }

    fn joins(&self, other: &Self, model: &Trained) -> Result<bool> {
        self.draw.joins(&other.draw, model)
    }

    fn draw_all(all: &[&Self], model: &mut Trained) -> Result<Vec<Predictions>> {
        let draws: Vec<&Draw> = all.iter().map(|plan| &plan.draw).collect();
        let drawn = Draw::joined(&draws)?.predictions(model)?;
        let parts = parts(draws.into_iter());
        let own = |(plan, (from, n)): (&&Self, (i64, i64))| {
            let PredictionPlan { draw, spread, kept, origin } = plan;
            let (spread, kept, origin) = (*spread, kept.clone(), origin.clone());
            let narrow = |t: &Tensor| t.narrow(0, from, n);
            let drawn =
                Prediction { mean: narrow(&drawn.mean), deviation: narrow(&drawn.deviation) };
            Predictions { drawn, spread, lengths: draw.lengths().target, kept, origin }
        };
        Ok(all.iter().zip(parts).map(own).collect())
    }
}

impl Output for Predictions {
    /// For a number its mean, for a class the most likely name and the probability of each, with
    /// deviations behind them.
    fn table(&self, model: &Trained) -> Result<Table> {
        let deviation = self.spread.then_some(&self.drawn.deviation);
        let of = Predicted { mean: &self.drawn.mean, deviation, truth: None };
        Ok(model.units().predictions(of)?.numbered(&self.kept))
    }

    /// `predictions`, `std`, `labels` of classes, `lengths` and `rows`, those that there are.
    fn arrays(&self, model: &Trained) -> Result<Vec<NamedArray>> {
        let units = model.units();
        let labels = units.target_is_label.then(|| self.drawn.mean.argmax(-1, false));
        // Means are float64; the file has the precision of the model.
        let own = |values: &Tensor| values.to_kind(units.target.mean.kind());
        let mut arrays = vec![array("predictions", &own(&self.drawn.mean))?];
        if self.spread {
            arrays.push(array("std", &own(&self.drawn.deviation))?);
        }
        arrays.extend(labels.map(|all| array("labels", &all)).transpose()?);
        arrays.extend(self.lengths.as_ref().map(|all| array("lengths", all)).transpose()?);
        arrays.extend(row_array(&self.kept)?);
        Ok(arrays)
    }
}

/// Description of a number of predictions for readers.
impl std::fmt::Display for Predictions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", counted(self.drawn.mean.size()[0], "prediction"), self.origin)
    }
}

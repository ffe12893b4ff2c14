//! Evaluation of predictions of values and of labels.

use super::draw::{draw, how, labels, points};
use super::scores::Draws;
use super::{Cost, Evaluation, Goal, Metric, Options, Scores, checked, intervals};
use crate::component::{Likelihood, Pass};
use crate::data::HeldOut;
use crate::error::Result;
use crate::metrics::{self, CALIBRATION_BINS, Points};
use crate::plot;
use crate::rng::{Purpose, stream_seed};
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

/// Smallest probability of a class if the decoder gives values rather than logits.
const LEAST_PROBABILITY: f64 = 1e-7;

pub(super) fn evaluate(
    model: &mut Trained,
    goal: Goal,
    held: &HeldOut<'_>,
    options: &Options,
) -> Result<Evaluation> {
    let base_seed = options.seed.unwrap_or_else(|| model.experiment().seed());
    let seed = stream_seed(base_seed, Purpose::Report, 0);
    let from_zero = options.seed.is_none();
    let draws = if from_zero { 1 } else { options.draws.max(1) };
    let truth = model.units().target.undo(&held.rows.target);
    let true_points = points(&truth)?;
    let mut scores = Draws::new(options.only);
    let (mut sampling, mut cost) = (Value::Null, Cost::default());
    for draw_number in 0..draws {
        let at = (!from_zero).then_some((seed, draw_number));
        let (sampled, drawn) = draw(model, &held.rows, at, &mut cost)?;
        let predicted = points(&drawn)?;
        match goal {
            Goal::Classification => {
                let logits = points(&logits(model, &sampled.z, &drawn)?)?;
                let truth = labels(&truth)?.into_iter().map(|l| l as i64).collect::<Vec<_>>();
                add_classes(checked(&predicted)?, checked(&logits)?, &truth, &mut scores)?;
                scores
                    .add(Metric::Mse, metrics::mse(checked(&true_points)?, checked(&predicted)?)?);
            }
            _ => add_values(checked(&true_points)?, checked(&predicted)?, &mut scores)?,
        }
        if draw_number == 0 {
            sampling = how(model, &sampled, held.rows.len(), (!from_zero).then_some(base_seed));
            sampling["draws"] = json!(draws);
        }
    }
    let mut details = Vec::new();
    if goal == Goal::Regression
        && let Some(random) =
            intervals::add(model, &held.rows, seed, options.draws, &mut cost, &mut scores)?
    {
        let noise = model.experiment().sampling.noise;
        sampling["crps"] = random.how;
        sampling["crps"]["noise"] = json!(noise);
        sampling["crps"]["seed"] = json!(base_seed);
        details.push(("intervals", random.intervals));
    }
    Ok(Evaluation {
        set: held.name.clone(),
        sampling,
        units: None,
        scores: scores.finish(goal),
        floor: Scores::default(),
        floor_of: "",
        arrays: Vec::new(),
        details,
        cost,
    })
}

pub(super) fn add_values(truth: Points, predicted: Points, to: &mut Draws) -> Result<()> {
    to.add(Metric::Mse, metrics::mse(truth, predicted)?);
    to.add(Metric::Mae, metrics::mae(truth, predicted)?);
    if truth.len() > 1 {
        let explained = metrics::variance_explained(truth, predicted)?;
        if let Some(percent) = explained.uniform_average {
            to.add(Metric::VarianceExplained, percent);
        }
        if let Some(percent) = explained.pooled {
            to.add(Metric::VarianceExplainedPooled, percent);
        }
    }
    Ok(())
}

pub(super) fn add_ensemble(
    truth: &plot::Scatter,
    draws: &[plot::Scatter],
    to: &mut Draws,
) -> Result<()> {
    let draws = draws.iter().map(checked).collect::<Result<Vec<_>>>()?;
    to.add(Metric::Crps, metrics::crps(checked(truth)?, &draws)?.fair);
    Ok(())
}

fn add_classes(predicted: Points, logits: Points, truth: &[i64], to: &mut Draws) -> Result<()> {
    to.add(Metric::ErrorRate, metrics::error_rate(predicted, truth)?);
    to.add(Metric::Accuracy, metrics::accuracy(predicted, truth)?);
    to.add(Metric::CrossEntropy, metrics::cross_entropy(logits, truth)?);
    let ece = metrics::expected_calibration_error(logits, truth, CALIBRATION_BINS)?;
    to.add(Metric::Ece, ece);
    Ok(())
}

/// Logits `[n, classes]`: those of the decoder, or the logarithms of its values, which are clamped
/// from below and scaled to add up to 1.
fn logits(model: &mut Trained, z: &Tensor, values: &Tensor) -> Result<Tensor> {
    if model.model().likelihood() == Likelihood::Categorical {
        return model.sampling(|model, _| tch::no_grad(|| model.decode(z, Pass::EVAL)));
    }
    let cut = values.to_kind(Kind::Double).clamp_min(LEAST_PROBABILITY);
    Ok((&cut / cut.sum_dim_intlist([-1].as_slice(), true, Kind::Double)).log())
}

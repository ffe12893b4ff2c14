//! Evaluation of predictions of values and of labels.

use super::columns::ColumnErrors;
use super::draw::{draw, how, labels, points};
use super::scores::Draws;
use super::{
    Catalogue, Cost, Evaluation, Options, RowPredictions, Scores, checked, intervals, record,
};
use crate::component::{Classes, Goal, Likelihood, MetricInput, Pass, Predictions};
use crate::data::HeldOut;
use crate::error::Result;
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
    let shape = model.units().shapes.target.clone();
    let truth = model.units().target.undo(&held.rows.target);
    let mut columns = ColumnErrors::of(model.units());
    let scale = columns.as_ref().and_then(ColumnErrors::scale);
    let scaled = |model: &Trained, values: &Tensor| match scale {
        Some(scale) => points(&scale.values(model.units(), values, None)),
        None => points(values),
    };
    let true_points = scaled(model, &truth)?;
    let catalogue = Catalogue::of_model(model)?.measured(goal, options.only.as_deref())?;
    let group = &options.group;
    let mut scores = Draws::new(&catalogue).by_first(group);
    let (mut sampling, mut cost) = (Value::Null, Cost::default());
    let (mut mean, mut deviation) = (None, None);
    for draw_number in 0..draws {
        let at = (!from_zero).then_some((seed, draw_number));
        let (sampled, drawn) = draw(model, &held.rows, at, group, &mut cost)?;
        let predicted = scaled(model, &drawn)?;
        if let Some(columns) = &mut columns {
            columns.add(model.units(), &truth, &drawn)?;
        }
        let predictions =
            Some(Predictions { truth: checked(&true_points)?, predicted: checked(&predicted)? });
        let input = MetricInput { predictions, ..MetricInput::new(goal, &shape, seed) };
        match goal {
            Goal::Classification => {
                let logits = points(&logits(model, &sampled.z, &drawn)?)?;
                let labels: Vec<_> = labels(&truth)?.into_iter().map(|l| l as i64).collect();
                let classes = Some(Classes { logits: checked(&logits)?, labels: &labels });
                scores.add(&MetricInput { classes, ..input });
            }
            _ => scores.add(&input),
        }
        if draw_number == 0 {
            sampling = how(model, &sampled, held.rows.len(), (!from_zero).then_some(base_seed));
            sampling["draws"] = json!(draws);
            mean = Some(drawn);
        }
    }
    record(&catalogue, seed, &mut sampling);
    let mut details = Vec::new();
    details.extend(columns.map(|columns| ("columns", columns.to_json())));
    if goal == Goal::Regression
        && let Some(random) =
            intervals::add(model, (&held.rows, scale), seed, options, &mut cost, &mut scores)?
    {
        let noise = model.experiment().sampling.noise;
        sampling["crps"] = random.how;
        sampling["crps"]["noise"] = json!(noise);
        sampling["crps"]["seed"] = json!(base_seed);
        details.push(("intervals", random.intervals));
        deviation = Some(random.deviation);
    }
    let (scores, failed) = scores.finish();
    Ok(Evaluation {
        set: held.name.clone(),
        sampling,
        units: scale.map(|scale| scale.text),
        scores,
        failed,
        floor: Scores::default(),
        floor_of: "",
        arrays: Vec::new(),
        predictions: mean.map(|mean| RowPredictions { mean, deviation, truth }),
        details,
        cost,
    })
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

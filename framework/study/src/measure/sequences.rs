//! Evaluation of predicted sequences. A row of the metrics is a position that is not padding.

use super::draw::{draw, how, points};
use super::scores::Draws;
use super::{Catalogue, Cost, Evaluation, Options, Scores, checked, record};
use crate::component::{Goal, MetricInput, Need, Predictions, RandomDraws};
use crate::data::{Batch, HeldOut};
use crate::error::Result;
use crate::group::Group;
use crate::metrics;
use crate::plot;
use crate::rng::{Purpose, stream_seed};
use crate::sequence;
use crate::trained::Trained;
use serde_json::json;
use tch::Tensor;

/// Number of random draws of each row, for CRPS and coverage.
const ENSEMBLE: u64 = 20;
/// Number of rows that are drawn so often, at most.
const ENSEMBLE_ROWS: i64 = 250;
/// Share of the draws that the central band holds.
pub(crate) const BAND: f64 = 0.9;

/// Random draws of each row, `[20, n, T, features]` in the data's own units.
pub(crate) fn ensemble(
    model: &mut Trained,
    rows: &Batch,
    seed: u64,
    group: &Group,
    cost: &mut Cost,
) -> Result<Tensor> {
    let one = |number| Ok(draw(model, rows, Some((seed, number)), group, cost)?.1);
    Ok(Tensor::stack(&(0..ENSEMBLE).map(one).collect::<Result<Vec<_>>>()?, 0))
}

/// The ends of the central band of draws `[k, …]`: quantiles with linear interpolation.
pub(crate) fn band(draws: &Tensor) -> (Tensor, Tensor) {
    // Sorted here, as LibTorch's quantile takes at most 2²⁴ values.
    let (sorted, _) = draws.sort(0, false);
    let last = draws.size()[0] - 1;
    let at = |q: f64| {
        let place = q * last as f64;
        let (low, high) = (sorted.get(place.floor() as i64), sorted.get(place.ceil() as i64));
        low.lerp(&high, place.fract())
    };
    (at((1.0 - BAND) / 2.0), at((1.0 + BAND) / 2.0))
}

pub(super) fn evaluate(
    model: &mut Trained,
    held: &HeldOut<'_>,
    options: &Options,
) -> Result<Evaluation> {
    let base_seed = options.seed.unwrap_or_else(|| model.experiment().seed());
    let seed = stream_seed(base_seed, Purpose::Report, 0);
    let mask = held.rows.mask.as_ref();
    let there = |values: &Tensor| points(&sequence::positions(values, mask));
    let truth = model.units().target.undo(&held.rows.target);
    let true_points = there(&truth)?;
    let features = &truth.size()[2..];
    let input = || MetricInput::new(Goal::Sequences, features, seed);
    let catalogue = Catalogue::of_model(model)?;
    let all = Catalogue::of_model(model)?.measured(Goal::Sequences, None)?;
    let catalogue = catalogue.measured(Goal::Sequences, options.only.as_deref())?;
    let group = &options.group;
    let (mut scores, mut cost) = (Draws::new(&catalogue).by_first(group), Cost::default());
    let at = options.seed.map(|_| (seed, 0));
    let (sampled, predicted) = draw(model, &held.rows, at, group, &mut cost)?;
    let predicted = there(&predicted)?;
    let predictions =
        Some(Predictions { truth: checked(&true_points)?, predicted: checked(&predicted)? });
    scores.add(&MetricInput { predictions, ..input() });
    let mut sampling = how(model, &sampled, held.rows.len(), options.seed);
    sampling["draws"] = json!(1);
    record(&catalogue, seed, &mut sampling);
    let mut details = Vec::new();
    if let Some(each) = per_feature(&true_points, &predicted)? {
        details.push(("variance_explained_percent_per_feature", each));
    }
    if scores.want(&[Need::Draws, Need::Ensemble]) {
        let rows = held.rows.spread(ENSEMBLE_ROWS);
        let mask = rows.mask.as_ref();
        let there = |values: &Tensor| points(&sequence::positions(values, mask));
        let true_points = there(&model.units().target.undo(&rows.target))?;
        let truth = checked(&true_points)?;
        let draws = ensemble(model, &rows, seed, group, &mut cost)?;
        let noise = model.experiment().sampling.noise;
        sampling["crps"] =
            json!({ "draws": ENSEMBLE, "n": rows.len(), "noise": noise, "seed": base_seed });
        let mean = there(&draws.mean_dim([0].as_slice(), false, draws.kind()))?;
        let mut of_mean = Draws::new(&all);
        let predictions = Some(Predictions { truth, predicted: checked(&mean)? });
        of_mean.add(&MetricInput { predictions, ..input() });
        let mut about_mean = json!({ "draws": ENSEMBLE, "n": rows.len() });
        of_mean.finish().0.write(&mut about_mean);
        details.push(("mean_of_draws", about_mean));
        let each: Vec<_> =
            (0..ENSEMBLE as i64).map(|i| there(&draws.get(i))).collect::<Result<_>>()?;
        let each = each.iter().map(checked).collect::<Result<Vec<_>>>()?;
        let random = Some(RandomDraws { truth, draws: &each });
        scores.add(&MetricInput { draws: random, ..input() });
        scores.add(&MetricInput { ensemble: random, ..input() });
    }
    let (scores, failed) = scores.finish();
    Ok(Evaluation {
        set: held.name.clone(),
        sampling,
        units: None,
        scores,
        failed,
        floor: Scores::default(),
        floor_of: "",
        arrays: Vec::new(),
        predictions: None,
        details,
        cost,
    })
}

/// 100 R² of each feature.
fn per_feature(
    truth: &plot::Scatter,
    predicted: &plot::Scatter,
) -> Result<Option<serde_json::Value>> {
    if truth.len() < 2 {
        return Ok(None);
    }
    let explained = metrics::variance_explained(checked(truth)?, checked(predicted)?)?;
    Ok(Some(json!(explained.per_feature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_holds_its_share_of_many_draws() {
        let draws = Tensor::arange(101, (tch::Kind::Double, tch::Device::Cpu)).view([101, 1]);
        let (low, high) = band(&draws);
        assert!((low.double_value(&[0]) - 5.0).abs() < 1e-9);
        assert!((high.double_value(&[0]) - 95.0).abs() < 1e-9);
    }
}

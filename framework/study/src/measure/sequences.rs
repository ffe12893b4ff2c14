//! Evaluation of predicted sequences. A row of the metrics is a position that is not padding.

use super::draw::{draw, how, points};
use super::prediction::{add_ensemble, add_values};
use super::scores::Draws;
use super::{Cost, Evaluation, Goal, Metric, Options, Scores, checked};
use crate::data::{Batch, HeldOut};
use crate::error::Result;
use crate::metrics;
use crate::plot;
use crate::rng::{Purpose, stream_seed};
use crate::sequence;
use crate::trained::Trained;
use serde_json::json;
use tch::{Kind, Tensor};

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
    cost: &mut Cost,
) -> Result<Tensor> {
    let one = |number| Ok(draw(model, rows, Some((seed, number)), cost)?.1);
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
    let (mut scores, mut cost) = (Draws::new(options.only), Cost::default());
    let at = options.seed.map(|_| (seed, 0));
    let (sampled, predicted) = draw(model, &held.rows, at, &mut cost)?;
    let predicted = there(&predicted)?;
    add_values(checked(&true_points)?, checked(&predicted)?, &mut scores)?;
    let mut sampling = how(model, &sampled, held.rows.len(), options.seed);
    sampling["draws"] = json!(1);
    let mut details = Vec::new();
    if let Some(each) = per_feature(&true_points, &predicted)? {
        details.push(("variance_explained_percent_per_feature", each));
    }
    if scores.wants_any(&[Metric::Crps, Metric::BandCoverage]) {
        let rows = held.rows.first(ENSEMBLE_ROWS);
        let mask = rows.mask.as_ref();
        let there = |values: &Tensor| points(&sequence::positions(values, mask));
        let truth = truth.narrow(0, 0, rows.len());
        let true_points = there(&truth)?;
        let draws = ensemble(model, &rows, seed, &mut cost)?;
        let noise = model.experiment().sampling.noise;
        sampling["crps"] =
            json!({ "draws": ENSEMBLE, "n": rows.len(), "noise": noise, "seed": base_seed });
        let (low, high) = band(&draws);
        let inside =
            truth.ge_tensor(&low).logical_and(&truth.le_tensor(&high)).to_kind(Kind::Double);
        let inside = sequence::positions(&inside, mask).mean(Kind::Double).double_value(&[]);
        scores.add(Metric::BandCoverage, 100.0 * inside);
        let mean = there(&draws.mean_dim([0].as_slice(), false, draws.kind()))?;
        let mut of_mean = Draws::new(None);
        add_values(checked(&true_points)?, checked(&mean)?, &mut of_mean)?;
        let mut about_mean = json!({ "draws": ENSEMBLE, "n": rows.len() });
        of_mean.finish(Goal::Sequences).write(&mut about_mean);
        details.push(("mean_of_draws", about_mean));
        let each: Vec<_> =
            (0..ENSEMBLE as i64).map(|i| there(&draws.get(i))).collect::<Result<_>>()?;
        add_ensemble(&true_points, &each, &mut scores)?;
    }
    Ok(Evaluation {
        set: held.name.clone(),
        sampling,
        units: None,
        scores: scores.finish(Goal::Sequences),
        floor: Scores::default(),
        floor_of: "",
        arrays: Vec::new(),
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
        let draws = Tensor::arange(101, (Kind::Double, tch::Device::Cpu)).view([101, 1]);
        let (low, high) = band(&draws);
        assert!((low.double_value(&[0]) - 5.0).abs() < 1e-9);
        assert!((high.double_value(&[0]) - 95.0).abs() < 1e-9);
    }
}

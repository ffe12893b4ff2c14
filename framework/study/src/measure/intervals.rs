use super::draw::{draw, points};
use super::scores::Draws;
use super::{Cost, Metric, checked};
use crate::data::Batch;
use crate::error::Result;
use crate::metrics;
use crate::trained::Trained;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

/// Number of draws of each row, at least.
const DRAWS: u64 = 40;
/// Number of groups of draws, each of which gives a value of the CRPS.
const GROUPS: u64 = 5;
/// Number of rows that are drawn, at most.
const ROWS: i64 = 1000;
/// Standard errors by which a share must lie below its level to be called too small: one-sided 0.5
/// %.
const CRITICAL: f64 = 2.576;

/// The metrics of random draws.
const METRICS: [Metric; 3] = [Metric::Crps, Metric::HalfCoverage, Metric::BandCoverage];

/// JSON about random draws: their numbers, and the verdict on the intervals.
pub(super) struct Intervals {
    pub how: Value,
    pub intervals: Value,
}

/// Measures CRPS and coverage of at least 40 random draws of the first rows, and warns if the
/// intervals are too narrow. Returns `None` if none of the metrics is measured, or there are no
/// rows.
pub(super) fn add(
    model: &mut Trained,
    rows: &Batch,
    seed: u64,
    draws: u64,
    cost: &mut Cost,
    to: &mut Draws,
) -> Result<Option<Intervals>> {
    if !to.wants_any(&METRICS) || rows.is_empty() {
        return Ok(None);
    }
    let rows = rows.first(rows.len().min(ROWS));
    let draws = draws.max(DRAWS).next_multiple_of(GROUPS);
    let one = |number| Ok(draw(model, &rows, Some((seed, number)), cost)?.1);
    let all = (0..draws).map(one).collect::<Result<Vec<_>>>()?;
    let truth = model.units().target.undo(&rows.target);
    let true_points = points(&truth)?;
    for group in all.chunks((draws / GROUPS) as usize) {
        let group = group.iter().map(points).collect::<Result<Vec<_>>>()?;
        let group = group.iter().map(checked).collect::<Result<Vec<_>>>()?;
        to.add(Metric::Crps, metrics::crps(checked(&true_points)?, &group)?.fair);
    }
    let all = Tensor::stack(&all, 0);
    let inside = |level| covered(&all, &truth, level);
    let (half, most) = (inside(0.5), inside(0.9));
    to.add(Metric::HalfCoverage, 100.0 * half);
    to.add(Metric::BandCoverage, 100.0 * most);
    let least = lowest(0.9, rows.len());
    let narrow = most < least;
    if narrow {
        log::warn!(
            "intervals are too narrow: the central 90 % of {draws} draws hold {:.0} % of the true \
             values of {} held-out rows, where chance alone would leave {:.0} % or more; the model is \
             overconfident",
            100.0 * most,
            rows.len(),
            100.0 * least
        );
    }
    Ok(Some(Intervals {
        how: json!({ "draws": draws, "groups": GROUPS, "n": rows.len() }),
        intervals: json!({
            "overconfident": narrow,
            "coverage_90_at_least_by_chance": 100.0 * least,
        }),
    }))
}

/// Share of true values `[n, …]` in the central `level` of draws `[k, n, …]`. The ends are
/// order statistics between which one more draw of the same distribution falls with that
/// probability.
fn covered(draws: &Tensor, truth: &Tensor, level: f64) -> f64 {
    let (sorted, _) = draws.sort(0, false);
    let k = draws.size()[0];
    let at = |q: f64| {
        let place = (q * (k + 1) as f64 - 1.0).clamp(0.0, (k - 1) as f64);
        let (low, high) = (sorted.get(place.floor() as i64), sorted.get(place.ceil() as i64));
        low.lerp(&high, place.fract())
    };
    let (low, high) = (at((1.0 - level) / 2.0), at((1.0 + level) / 2.0));
    let inside = truth.ge_tensor(&low).logical_and(&truth.le_tensor(&high));
    inside.to_kind(Kind::Double).mean(Kind::Double).double_value(&[])
}

/// The share of `n` independent rows that is significantly below `level`, by the normal
/// approximation of the binomial distribution. The values of a row count once, as they may be
/// correlated.
fn lowest(level: f64, n: i64) -> f64 {
    (level - CRITICAL * (level * (1.0 - level) / n as f64).sqrt()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, seed_torch};
    use tch::Device;

    #[test]
    fn one_more_draw_of_the_same_distribution_falls_inside_as_often_as_the_level_says() {
        let _stream = seed_torch(1, Purpose::Data, 0);
        let n = 20_000;
        let draws = Tensor::randn([40, n, 1], (Kind::Double, Device::Cpu));
        let truth = Tensor::randn([n, 1], (Kind::Double, Device::Cpu));
        for level in [0.5, 0.9] {
            let share = covered(&draws, &truth, level);
            assert!((share - level).abs() < 0.01, "{share} for {level}");
            // Intervals of draws with half the deviation hold 26 and 59 %.
            assert!(covered(&(&draws * 0.5), &truth, level) < level - 0.2);
        }
    }

    #[test]
    fn a_share_is_clearly_less_only_where_chance_would_not_have_it() {
        assert!((lowest(0.9, 44) - 0.7835).abs() < 1e-3);
        assert!((lowest(0.9, 10_000) - 0.8923).abs() < 1e-3);
        assert!((lowest(0.9, 1) - 0.1272).abs() < 1e-9 && lowest(0.5, 1) == 0.0);
    }
}

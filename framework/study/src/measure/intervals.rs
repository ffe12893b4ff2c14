use super::draw::{draw, points};
use super::scores::Draws;
use super::{Cost, Options, Scale, checked};
use crate::component::{Goal, MetricInput, Need, RandomDraws};
use crate::data::{Batch, spread};
use crate::error::Result;
use crate::metrics::{QuantileRule, interval_coverage};
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

/// Random draws of some rows.
pub(super) struct Intervals {
    /// Numbers of draws and rows, in JSON.
    pub how: Value,
    /// The verdict on the intervals, in JSON.
    pub intervals: Value,
    /// Standard deviation over the draws, `[rows, entries]` float64, NaN for rows that are not
    /// drawn.
    pub deviation: Tensor,
}

/// Measures CRPS and coverage of at least 40 random draws of rows spread over these, in the units
/// of `scale` (`None`: the data's own), and warns if the intervals are too narrow. Returns `None`
/// if none of the metrics is measured, or there are no rows.
pub(super) fn add(
    model: &mut Trained,
    (rows, scale): (&Batch, Option<Scale>),
    seed: u64,
    options: &Options,
    cost: &mut Cost,
    to: &mut Draws<'_>,
) -> Result<Option<Intervals>> {
    if !to.want(&[Need::Draws, Need::Ensemble]) || rows.is_empty() {
        return Ok(None);
    }
    let all_rows = rows.len();
    let numbers = spread(all_rows, ROWS).to_device(rows.target.device());
    let rows = rows.rows(&numbers);
    let draws = options.draws.max(DRAWS).next_multiple_of(GROUPS);
    let one = |number| Ok(draw(model, &rows, Some((seed, number)), &options.group, cost)?.1);
    let all = (0..draws).map(one).collect::<Result<Vec<_>>>()?;
    let stacked = Tensor::stack(&all, 0).to_kind(Kind::Double);
    let some = stacked.std_dim([0].as_slice(), false, false).flatten(1, -1);
    let deviation =
        some.new_full([all_rows, some.size()[1]], f64::NAN, (Kind::Double, some.device()));
    let deviation = deviation.index_copy(0, &numbers, &some);
    let truth = model.units().target.undo(&rows.target);
    let scaled = |values: &Tensor| match scale {
        Some(scale) => points(&scale.values(model.units(), values, None)),
        None => points(values),
    };
    let true_points = scaled(&truth)?;
    let all = all.iter().map(scaled).collect::<Result<Vec<_>>>()?;
    let all = all.iter().map(checked).collect::<Result<Vec<_>>>()?;
    let truth = checked(&true_points)?;
    let shape = model.units().shapes.target.clone();
    let input = || MetricInput::new(Goal::Regression, &shape, seed);
    for group in all.chunks((draws / GROUPS) as usize) {
        to.add(&MetricInput { draws: Some(RandomDraws { truth, draws: group }), ..input() });
    }
    let ensemble = RandomDraws { truth, draws: &all };
    to.add(&MetricInput { ensemble: Some(ensemble), ..input() });
    let most = interval_coverage(truth, &all, 0.9, QuantileRule::Exchangeable)?;
    let least = lowest(0.9, rows.len());
    let narrow = most < least;
    if narrow && options.group.is_first() {
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
        deviation,
        how: json!({ "draws": draws, "groups": GROUPS, "n": rows.len() }),
        intervals: json!({
            "overconfident": narrow,
            "coverage_90_at_least_by_chance": 100.0 * least,
        }),
    }))
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

    #[test]
    fn a_share_is_clearly_less_only_where_chance_would_not_have_it() {
        assert!((lowest(0.9, 44) - 0.7835).abs() < 1e-3);
        assert!((lowest(0.9, 10_000) - 0.8923).abs() < 1e-3);
        assert!((lowest(0.9, 1) - 0.1272).abs() < 1e-9 && lowest(0.5, 1) == 0.0);
    }
}

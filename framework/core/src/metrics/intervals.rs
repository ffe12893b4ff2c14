//! Coverage of intervals between quantiles of random draws.

use super::Points;
use crate::error::{Error, Result};

/// Definition of the quantiles of k draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantileRule {
    /// Order statistics such that one more draw of the same distribution lies in the central
    /// interval with the probability of its level: quantile q is at place q(k + 1), from 1.
    Exchangeable,
    /// Linear interpolation between the extremes: quantile q is at place 1 + q(k − 1).
    Linear,
}

/// Share of true values, in \[0, 1\], in the central `level` of the draws of each: rows of `truth`,
/// as many in each of `draws`.
///
/// # Errors
/// [`Error::Runtime`] without draws, or for a draw of another shape.
pub fn interval_coverage(
    truth: Points,
    draws: &[Points],
    level: f64,
    quantiles: QuantileRule,
) -> Result<f64> {
    let values = truth.values();
    if draws.is_empty() {
        return Err(Error::runtime("the coverage of intervals needs at least one draw"));
    }
    if draws.iter().any(|draw| draw.dim() != truth.dim() || draw.len() != truth.len()) {
        return Err(Error::runtime("the draws and the true values differ in shape"));
    }
    let last = (draws.len() - 1) as f64;
    let place = |q: f64| match quantiles {
        QuantileRule::Exchangeable => (q * (last + 2.0) - 1.0).clamp(0.0, last),
        QuantileRule::Linear => q * last,
    };
    let places = [place((1.0 - level) / 2.0), place((1.0 + level) / 2.0)];
    let mut sorted = vec![0.0; draws.len()];
    let mut inside = 0_usize;
    for (i, value) in values.iter().enumerate() {
        for (entry, draw) in sorted.iter_mut().zip(draws) {
            *entry = draw.values()[i];
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let [low, high] = places.map(|place| {
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + place.fract() * (above - below)
        });
        inside += usize::from(low <= *value && *value <= high);
    }
    Ok(inside as f64 / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{normal, points};
    use super::*;

    fn share(draws: &[Vec<f64>], truth: &[f64], level: f64, quantiles: QuantileRule) -> f64 {
        let draws: Vec<_> = draws.iter().map(|draw| points(draw, 1)).collect();
        interval_coverage(points(truth, 1), &draws, level, quantiles).unwrap()
    }

    #[test]
    fn one_more_draw_of_the_same_distribution_falls_inside_as_often_as_the_level_says() {
        let n = 20_000;
        let of = |scale: f64| (0..40).map(|k| normal(n, 0.0, scale, k)).collect::<Vec<_>>();
        let (draws, narrow) = (of(1.0), of(0.5));
        let truth = normal(n, 0.0, 1.0, 99);
        for level in [0.5, 0.9] {
            let found = share(&draws, &truth, level, QuantileRule::Exchangeable);
            assert!((found - level).abs() < 0.01, "{found} for {level}");
            // Intervals of draws with half the deviation hold 26 and 59 %.
            assert!(share(&narrow, &truth, level, QuantileRule::Exchangeable) < level - 0.2);
        }
    }

    #[test]
    fn the_ends_of_the_interval_are_the_interpolated_order_statistics() {
        // Draws 0 to 100: linear quantiles of 5 and 95 % are 5 and 95; exchangeable ones are at
        // places 5.1 and 96.9 of 102, which are the values 4.1 and 95.9.
        let draws: Vec<Vec<f64>> = (0..101).map(|k| vec![k as f64]).collect();
        for (value, linear, exchangeable) in [
            (4.05, 0.0, 0.0),
            (4.15, 0.0, 1.0),
            (5.0, 1.0, 1.0),
            (95.0, 1.0, 1.0),
            (95.85, 0.0, 1.0),
            (95.95, 0.0, 0.0),
        ] {
            assert_eq!(share(&draws, &[value], 0.9, QuantileRule::Linear), linear, "{value}");
            let found = share(&draws, &[value], 0.9, QuantileRule::Exchangeable);
            assert_eq!(found, exchangeable, "{value}");
        }
        let truth = points(&[1.0], 1);
        assert!(interval_coverage(truth, &[], 0.9, QuantileRule::Linear).is_err());
        let two = points(&[1.0, 2.0], 1);
        assert!(interval_coverage(truth, &[two], 0.9, QuantileRule::Linear).is_err());
    }
}

use super::Points;
use super::regression::same_shape;
use crate::{Error, Result};

/// Continuous ranked probability score (CRPS) of an ensemble of K draws, by the two usual
/// estimates. The score is the integral of (F(v) - 1{v ≥ y})² over v, where F is the distribution
/// function of the ensemble and y the true value; it equals E|X - y| - E|X - X'| / 2 (Gneiting and
/// Raftery 2007, eq. 21). It has the units of y, is 0 if all draws equal y, and the absolute error
/// if all draws are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crps {
    /// Score of the ensemble itself: E|X - X'| over all K² pairs. It exceeds the score of the
    /// distribution of the draws by E|X - X'| / (2 K) on average. Never negative.
    pub plain: f64,
    /// Score corrected for the size of the ensemble (Ferro 2014): E|X - X'| over the K(K - 1) pairs
    /// of different draws, which on average gives the score of the distribution of the draws. May
    /// be negative.
    pub fair: f64,
}

/// CRPS of at least two draws, averaged over all rows and features. Each draw has the shape of the
/// truth: one row per example and one column per feature, scored separately.
///
/// # Errors
/// [`Error::Runtime`] for fewer than two draws, or a draw of another shape.
pub fn crps(truth: Points, draws: &[Points]) -> Result<Crps> {
    let count = draws.len();
    if count < 2 {
        let message = format!("the CRPS needs at least two draws of each row, not {count}");
        return Err(Error::runtime(message));
    }
    for draw in draws {
        same_shape(truth, *draw)?;
    }
    let k = count as f64;
    let (mut error, mut spread) = (0.0, 0.0);
    let mut ensemble = vec![0.0; count];
    for (i, y) in truth.values().iter().enumerate() {
        for (member, draw) in ensemble.iter_mut().zip(draws) {
            *member = draw.values()[i];
        }
        error += ensemble.iter().map(|x| (x - y).abs()).sum::<f64>() / k;
        // In increasing order, draw i is above i others and below the rest: this is the sum over
        // unordered pairs.
        ensemble.sort_unstable_by(f64::total_cmp);
        let sign = |i: usize| 2.0 * i as f64 - (k - 1.0);
        spread += ensemble.iter().enumerate().map(|(i, x)| sign(i) * x).sum::<f64>();
    }
    let n = truth.values().len() as f64;
    Ok(Crps { plain: (error - spread / (k * k)) / n, fair: (error - spread / (k * (k - 1.0))) / n })
}

#[cfg(test)]
mod tests {
    use super::super::mae;
    use super::super::testing::{close, cloud, normal, points};
    use super::*;

    fn score(truth: &[f64], draws: &[&[f64]], dim: usize) -> Crps {
        let draws: Vec<Points> = draws.iter().map(|d| points(d, dim)).collect();
        crps(points(truth, dim), &draws).unwrap()
    }

    #[test]
    fn small_ensembles_agree_with_a_count_by_hand() {
        // |0 - 1| and |3 - 1| have mean 3/2. The draws are 3 apart: 6/4/2 over all pairs, 3/2 over
        // different ones.
        let found = score(&[1.0], &[&[0.0], &[3.0]], 1);
        assert_eq!((found.plain, found.fair), (1.5 - 0.75, 1.5 - 1.5));
        // Two rows; both draws equal the second true value.
        let found = score(&[1.0, 5.0], &[&[0.0, 5.0], &[3.0, 5.0]], 1);
        assert_eq!((found.plain, found.fair), (0.375, 0.0));
    }

    /// Reference values from the package `properscoring`.
    #[test]
    fn golden_values_hold() {
        let truth = [1.0, 0.267, -0.857, -0.726];
        let draws = [
            [0.0, -1.4, 2.0, -1.457],
            [1.983, -1.236, -0.217, 1.547],
            [-0.511, 1.718, -1.944, 1.058],
            [-1.852, 0.793, 0.718, -1.819],
            [0.988, -1.923, 1.759, -0.589],
            [1.597, -0.298, -1.171, 1.971],
        ];
        close(score(&truth, &draws.each_ref().map(|d| &d[..]), 1).plain, 0.5882152777777777);
    }

    #[test]
    fn it_agrees_with_the_definition_over_all_pairs() {
        let truth = cloud(12, 3, 1.0, 1);
        let draws: Vec<Vec<f64>> = (0..7).map(|i| cloud(12, 3, 2.0, 10 + i)).collect();
        let (mut error, mut pairs) = (0.0, 0.0);
        for (i, y) in truth.iter().enumerate() {
            error += draws.iter().map(|d| (d[i] - y).abs()).sum::<f64>() / 7.0 / 36.0;
            let from = |a: &Vec<f64>| draws.iter().map(|b| (a[i] - b[i]).abs()).sum::<f64>();
            pairs += draws.iter().map(from).sum::<f64>() / 36.0;
        }
        let found = score(&truth, &draws.iter().map(|d| &d[..]).collect::<Vec<_>>(), 3);
        close(found.plain, error - pairs / 98.0);
        close(found.fair, error - pairs / 84.0);
    }

    #[test]
    fn it_is_the_integral_of_the_squared_difference_of_distribution_functions() {
        let (draws, y) = ([0.3, -1.2, 2.0, 0.9], 0.5);
        let step = 1e-5;
        let at = |i: i64| -3.0 + step * (i as f64 + 0.5);
        let below = |v: f64| draws.iter().filter(|x| **x <= v).count() as f64 / 4.0;
        let part = |v: f64| (below(v) - if v >= y { 1.0 } else { 0.0 }).powi(2);
        let integral: f64 = (0..600_000).map(|i| part(at(i)) * step).sum();
        let members: Vec<&[f64]> = draws.iter().map(std::slice::from_ref).collect();
        assert!((score(&[y], &members, 1).plain - integral).abs() < 1e-4, "{integral}");
    }

    #[test]
    fn draws_that_are_all_alike_have_the_absolute_error() {
        let (truth, guess) = (cloud(20, 2, 1.0, 3), cloud(20, 2, 1.0, 4));
        let found = score(&truth, &[&guess, &guess, &guess], 2);
        let error = mae(points(&truth, 2), points(&guess, 2)).unwrap();
        assert!((found.plain - error).abs() < 1e-14 && (found.fair - error).abs() < 1e-14);
    }

    /// The score of N(m, s²) at m is s (√2 - 1)/√π, and s/√π on average if the truth is drawn from
    /// it. The fair estimate gives that with few draws, the plain one s/(√π K) more.
    #[test]
    fn a_gaussian_ensemble_has_its_closed_form() {
        let (s, root) = (0.7, std::f64::consts::PI.sqrt());
        let (n, k) = (40_000, 4);
        let draw = |seed| normal(n, 3.0, s, seed);
        let draws: Vec<Vec<f64>> = (0..k).map(draw).collect();
        let draws: Vec<&[f64]> = draws.iter().map(|d| &d[..]).collect();
        let own = score(&draw(100), &draws, 1);
        assert!((own.fair - s / root).abs() < 0.006, "{own:?}");
        assert!((own.plain - s / root * (1.0 + 1.0 / k as f64)).abs() < 0.006, "{own:?}");
        let centre = score(&vec![3.0; n], &draws, 1);
        assert!((centre.fair - s * (2f64.sqrt() - 1.0) / root).abs() < 0.004, "{centre:?}");
    }

    #[test]
    fn the_law_itself_scores_best() {
        let truth = normal(4000, 0.0, 1.0, 100);
        let score_of = |mean, s| {
            let draws: Vec<Vec<f64>> = (0..5).map(|seed| normal(4000, mean, s, seed)).collect();
            score(&truth, &draws.iter().map(|d| &d[..]).collect::<Vec<_>>(), 1).fair
        };
        let right = score_of(0.0, 1.0);
        for (mean, s) in [(0.5, 1.0), (0.0, 0.4), (0.0, 2.0)] {
            assert!(score_of(mean, s) > right + 0.02, "{mean} {s}");
        }
    }

    #[test]
    fn what_is_no_ensemble_is_refused() {
        let values = [0.0; 6];
        let (wide, high) = (points(&values, 3), points(&values, 2));
        let message = |draws: &[Points]| crps(wide, draws).unwrap_err().to_string();
        assert!(message(&[]).contains("not 0"));
        assert!(message(&[wide]).contains("not 1"));
        assert!(message(&[wide, high]).contains("dimensions"));
        assert!(message(&[wide, points(&values[..3], 3)]).contains("one each"));
    }
}

//! Statistics of differences between cells: means and intervals over seeds, paired differences,
//! Holm's correction, ranks.

use super::results::{Better, Score, Spread, Verdict};
use crate::metrics::mean_and_deviation;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// Significance level of differences.
const LEVEL: f64 = 0.05;

impl Spread {
    /// Mean, deviation and interval of values by seed; `None` for a seed that failed.
    pub fn of(values: Vec<Option<f64>>) -> Self {
        let given: Vec<f64> = values.iter().flatten().copied().collect();
        let n = given.len() as f64;
        let (mean, sd) = mean_and_deviation(&given);
        let interval = sd.and_then(|sd| {
            let half = student(n - 1.0)?.inverse_cdf(1.0 - LEVEL / 2.0) * sd / n.sqrt();
            Some([mean - half, mean + half])
        });
        Self { values, mean, sd, interval }
    }

    /// Two-sided p of a mean of 0 (one-sample t test); `None` for fewer than two values.
    fn p_of_zero(&self) -> Option<f64> {
        let n = self.values.iter().flatten().count() as f64;
        let sd = self.sd?;
        if sd == 0.0 {
            return Some(if self.mean == 0.0 { 1.0 } else { 0.0 });
        }
        let t = self.mean / (sd / n.sqrt());
        Some(2.0 * student(n - 1.0)?.cdf(-t.abs()))
    }
}

fn student(freedom: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, freedom).ok()
}

/// Holm's step-down correction of p values, in the order given (Holm 1979).
fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut corrected, mut largest) = (vec![0.0; p.len()], 0.0_f64);
    for (done, i) in order.into_iter().enumerate() {
        largest = largest.max((p[i] * (p.len() - done) as f64).min(1.0));
        corrected[i] = largest;
    }
    corrected
}

/// Scores of all cells in one metric, from each cell's values by seed; `None` for a cell without
/// values.
pub fn scores(cells: &[Vec<Option<f64>>], better: Better) -> Vec<Option<Score>> {
    let spreads: Vec<_> = cells.iter().map(|values| Spread::of(values.clone())).collect();
    let has_any = |i: &usize| cells[*i].iter().any(Option::is_some);
    let sign = if better == Better::More { -1.0 } else { 1.0 };
    let scored: Vec<usize> = (0..cells.len()).filter(has_any).collect();
    // A cell that failed for a seed cannot be the best while others have values for all seeds.
    let complete = |i: &usize| cells[*i].iter().all(Option::is_some);
    let any_complete = scored.iter().any(complete);
    let best = scored
        .iter()
        .copied()
        .filter(|i| complete(i) || !any_complete)
        .min_by(|a, b| (sign * spreads[*a].mean).total_cmp(&(sign * spreads[*b].mean)));
    let ranks = mean_ranks(cells, sign);
    let difference = |i: usize| {
        let best = best.filter(|b| *b != i && better != Better::None)?;
        let pairs = cells[i].iter().zip(&cells[best]);
        Some(Spread::of(pairs.map(|(own, best)| Some((*own)? - (*best)?)).collect()))
    };
    let differences: Vec<_> = (0..cells.len()).map(difference).collect();
    let tested: Vec<(usize, f64)> =
        scored.iter().filter_map(|i| Some((*i, differences[*i].as_ref()?.p_of_zero()?))).collect();
    let corrected = holm(&tested.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    let p_of = |i: usize| {
        let at = tested.iter().position(|(cell, _)| *cell == i)?;
        Some(corrected[at])
    };
    let verdict = |i: usize| match (p_of(i), Some(i) == best) {
        (Some(p), _) => {
            if p < LEVEL {
                Verdict::Worse
            } else {
                Verdict::Tied
            }
        }
        (None, true) if cells[i].iter().flatten().count() > 1 => Verdict::Best,
        _ => Verdict::Unknown,
    };
    let score = |i: usize| Score {
        spread: spreads[i].clone(),
        rank: ranks[i],
        difference: differences[i].clone().filter(|d| d.values.iter().any(Option::is_some)),
        p: p_of(i),
        verdict: if better == Better::None { Verdict::Unknown } else { verdict(i) },
    };
    (0..cells.len()).map(|i| has_any(&i).then(|| score(i))).collect()
}

/// Mean rank of each cell over the seeds for which it has a value, from 1; equal values share their
/// ranks.
fn mean_ranks(cells: &[Vec<Option<f64>>], sign: f64) -> Vec<f64> {
    let rank = |value: f64, seed: usize| {
        let others = cells.iter().filter_map(|c| c.get(seed).copied().flatten());
        let (mut less, mut same) = (0.0, 0.0);
        for other in others {
            less += f64::from(sign * other < sign * value);
            same += f64::from(other == value);
        }
        less + f64::midpoint(same, 1.0)
    };
    cells
        .iter()
        .map(|own| {
            let all: Vec<f64> =
                own.iter().enumerate().filter_map(|(seed, v)| Some(rank((*v)?, seed))).collect();
            all.iter().sum::<f64>() / all.len() as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{a} is not {b}");
    }

    /// R: `x <- c(5.1, 4.9, 5.6, 5.8, 5.3); mean(x); sd(x); t.test(x)$conf.int`.
    #[test]
    fn mean_deviation_and_interval() {
        let s = Spread::of(some(&[5.1, 4.9, 5.6, 5.8, 5.3]));
        close(s.mean, 5.34);
        close(s.sd.unwrap(), 0.364_691_650_576_208_9);
        // The 97.5 % quantile of Student's t with 4 degrees of freedom.
        let half = 2.776_445_105_198_054 * 0.364_691_650_576_208_9 / 5.0_f64.sqrt();
        close(s.interval.unwrap()[0], 5.34 - half);
        close(s.interval.unwrap()[1], 5.34 + half);
        let one = Spread::of(vec![None, Some(2.0)]);
        assert_eq!((one.mean, one.sd, one.interval), (2.0, None, None));
    }

    /// With one degree of freedom Student's t is the Cauchy distribution: p = 1 − (2/π) atan
    /// |t|.
    #[test]
    fn p_of_two_differences_is_cauchys() {
        let s = Spread::of(some(&[1.0, 3.0]));
        let t: f64 = 2.0; // Mean 2 over standard error 1.
        close(s.p_of_zero().unwrap(), 1.0 - std::f64::consts::FRAC_2_PI * t.atan());
    }

    /// Calculated by hand: sorted 0.01, 0.02, 0.03, 0.5 times 4, 3, 2, 1, made monotone.
    #[test]
    fn holms_correction() {
        let corrected = holm(&[0.03, 0.01, 0.5, 0.02]);
        for (a, b) in corrected.iter().zip([0.06, 0.04, 0.5, 0.06]) {
            close(*a, b);
        }
    }

    #[test]
    fn a_common_shift_between_seeds_hides_no_paired_difference() {
        // Values differ by far more between seeds than between cells.
        let a = [1.0, 5.0, 9.0, 3.0];
        let b: Vec<f64> = a.iter().zip([0.10, 0.11, 0.09, 0.10]).map(|(v, d)| v + d).collect();
        let c: Vec<f64> = a.iter().zip([0.10, -0.08, 0.02, 0.01]).map(|(v, d)| v + d).collect();
        let found = scores(&[some(&b), some(&a), some(&c)], Better::Less);
        let verdicts: Vec<_> = found.iter().map(|s| s.as_ref().unwrap().verdict).collect();
        assert_eq!(verdicts, [Verdict::Worse, Verdict::Best, Verdict::Tied]);
        assert!(found[1].as_ref().unwrap().difference.is_none());
        close(found[0].as_ref().unwrap().difference.as_ref().unwrap().mean, 0.1);
    }

    #[test]
    fn more_is_better_where_it_is() {
        let found = scores(&[some(&[0.9, 0.91, 0.9]), some(&[0.5, 0.52, 0.5])], Better::More);
        assert_eq!(found[0].as_ref().unwrap().verdict, Verdict::Best);
        assert_eq!(found[0].as_ref().unwrap().rank, 1.0);
        assert_eq!(found[1].as_ref().unwrap().verdict, Verdict::Worse);
    }

    #[test]
    fn one_seed_says_nothing_and_a_failed_cell_is_not_best() {
        let found = scores(&[some(&[1.0]), some(&[2.0]), vec![None]], Better::Less);
        assert_eq!(found[0].as_ref().unwrap().verdict, Verdict::Unknown);
        assert_eq!(found[1].as_ref().unwrap().verdict, Verdict::Unknown);
        assert!(found[2].is_none());
        let found = scores(&[vec![Some(0.1), None], some(&[1.0, 1.1])], Better::Less);
        assert_eq!(found[1].as_ref().unwrap().verdict, Verdict::Best);
    }

    #[test]
    fn equal_values_share_their_rank() {
        let cells = [some(&[1.0, 2.0]), some(&[1.0, 3.0]), some(&[0.5, 4.0])];
        assert_eq!(mean_ranks(&cells, 1.0), [(2.5 + 1.0) / 2.0, (2.5 + 2.0) / 2.0, 2.0]);
    }

    /// Without real differences, the best of several cells is rarely called better than another.
    /// The rate is somewhat above the 5 % of Holm's correction, as the best is chosen from the same
    /// values; without the correction it would be far higher.
    #[test]
    fn noise_has_no_winner() {
        use rand::{RngExt as _, SeedableRng as _};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut wrong = 0;
        for _ in 0..400 {
            let cells: Vec<_> = (0..6)
                .map(|_| (0..5).map(|_| Some(rng.random::<f64>())).collect::<Vec<_>>())
                .collect();
            let found = scores(&cells, Better::Less);
            wrong += usize::from(found.iter().flatten().any(|s| s.verdict == Verdict::Worse));
        }
        assert!(wrong < 80, "{wrong} of 400");
    }
}

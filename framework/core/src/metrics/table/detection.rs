use super::design::{Design, Scaling};
use super::encoding::{Encoder, Features};
use super::learner::{Learner, Target};
use super::{TableLearner, boosting, same_columns};
use crate::Result;
use crate::table::TableRows;

/// Number of parts of a cross-validation.
const FOLDS: usize = 3;

/// Areas under the ROC curve of a classifier that tells generated from real rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Area of each part, on which the classifier was not trained, in \[0, 1\].
    pub areas: Vec<f64>,
}

impl Detection {
    /// Mean over the parts of 1 − (2·max(½, area) − 1): 1 if the rows cannot be told apart, 0 if
    /// they always are.
    pub fn score(&self) -> f64 {
        let told = self.areas.iter().map(|area| 2.0 * area.max(0.5) - 1.0).sum::<f64>();
        1.0 - told / self.areas.len() as f64
    }
}

/// Log-odds of class 1 for rows, given the numbers of the training rows, their classes, and the
/// numbers of those rows.
type Classifier<'a> = dyn Fn(&[usize], &[usize], &[usize]) -> Vec<f64> + 'a;

/// Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv 1610.06545), cross-validated in
/// three parts: row i of each side belongs to part i mod 3, so that rows should be in random order.
/// `None` for fewer than three rows on a side.
///
/// The linear classifier is that of `LogisticDetection` of `sdmetrics`: a missing number is the
/// mean of the real ones, a missing category is one of its own, entries are scaled by median and
/// distance between the quartiles, and the penalty is half the squared norm of the weights beside
/// the summed cross-entropy.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) for tables of different columns.
pub fn detection(
    real: TableRows<'_>,
    generated: TableRows<'_>,
    learner: TableLearner,
) -> Result<Option<Detection>> {
    same_columns(real, generated)?;
    let sizes = (real.len(), generated.len());
    if sizes.0.min(sizes.1) < FOLDS {
        return Ok(None);
    }
    let odds: Box<Classifier<'_>> = match learner {
        TableLearner::Linear => {
            let encoder = Encoder::fit(real, None);
            let rows = encoder.encode(real).followed_by(&encoder.encode(generated));
            Box::new(move |train, labels, test| linear(&rows.take(train), labels, &rows.take(test)))
        }
        TableLearner::Boosting => Box::new(move |train, labels, test| {
            let [train, test] = [train, test].map(|rows| taken(real, generated, rows));
            let both = [&train, &test].map(|values| TableRows { values, ..real });
            boosting::outputs((both[0], both[1]), None, Target::Classes(labels, 2)).swap_remove(0)
        }),
    };
    let area = |fold: usize| {
        let [(train, labels), (test, truth)] = [false, true].map(|test| part(sizes, fold, test));
        area_under_roc(&odds(&train, &labels, &test), &truth)
    };
    Ok(Some(Detection { areas: (0..FOLDS).map(area).collect() }))
}

/// Numbers of the rows that are in the part `fold`, or that are not; real rows come before
/// generated ones. Beside them 1 for real rows and 0 for others.
fn part((real, generated): (usize, usize), fold: usize, inside: bool) -> (Vec<usize>, Vec<usize>) {
    let own = |from: usize, n: usize| {
        (0..n).filter(move |i| (i % FOLDS == fold) == inside).map(move |i| from + i)
    };
    let rows: Vec<usize> = own(0, real).chain(own(real, generated)).collect();
    let labels = rows.iter().map(|row| usize::from(*row < real)).collect();
    (rows, labels)
}

/// Cells of the rows of these numbers, of real ones followed by generated ones.
fn taken(real: TableRows<'_>, generated: TableRows<'_>, rows: &[usize]) -> Vec<f64> {
    let width = real.columns.len();
    let all = [real, generated].map(|side| side.values.chunks_exact(width.max(1)));
    let all: Vec<&[f64]> = all.into_iter().flatten().collect();
    rows.iter().flat_map(|row| all[*row]).copied().collect()
}

/// Log-odds of class 1 for rows by logistic regression of others.
fn linear(train: &Features, labels: &[usize], test: &Features) -> Vec<f64> {
    let scaling = Scaling::robust(train);
    let learner = Learner::fit(&Design::new(train, &scaling), Target::Classes(labels, 2));
    learner.outputs(&Design::new(test, &scaling)).swap_remove(0)
}

/// Probability that a row of class 1 has a larger value than one of class 0; ties count half.
fn area_under_roc(values: &[f64], labels: &[usize]) -> f64 {
    let mut sorted: Vec<(f64, usize)> =
        values.iter().copied().zip(labels.iter().copied()).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut pairs) = (0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let ones = tied.iter().filter(|(_, label)| *label == 1).count() as f64;
        let zeros = tied.len() as f64 - ones;
        pairs += ones * (below + zeros / 2.0);
        below += zeros;
    }
    let ones = labels.iter().sum::<usize>() as f64;
    pairs / (ones * below)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cases, numbers};
    use super::*;

    #[test]
    fn areas_are_those_of_scikit_learn() {
        for case in cases().iter().filter(|case| case.expected["detection"].is_object()) {
            let found =
                detection(case.real(), case.generated(), TableLearner::Linear).unwrap().unwrap();
            let expected = numbers(&case.expected["detection"]["areas"]);
            for (found, expected) in found.areas.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-3, "{}: {found} {expected}", case.name);
            }
            let score = case.expected["detection"]["score"].as_f64().unwrap();
            assert!((found.score() - score).abs() < 1e-3, "{}", case.name);
        }
    }

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        assert_eq!(area_under_roc(&[1.0, 2.0, 3.0, 4.0], &[0, 0, 1, 1]), 1.0);
        assert_eq!(area_under_roc(&[1.0, 2.0, 3.0, 4.0], &[0, 1, 0, 1]), 0.75);
        assert_eq!(area_under_roc(&[1.0, 1.0, 1.0], &[0, 1, 0]), 0.5);
        let detection = |areas: &[f64]| Detection { areas: areas.to_vec() }.score();
        assert_eq!(
            [detection(&[0.5, 0.3]), detection(&[1.0]), detection(&[0.75, 0.5])],
            [1.0, 0.0, 0.75]
        );
    }

    #[test]
    fn rows_are_told_apart_by_a_shift_far_below_the_spread_of_another_column() {
        use crate::table::TableColumn;
        let columns = [TableColumn::number("a"), TableColumn::number("b")];
        let rows = |shift: f64| -> Vec<f64> {
            let row = |i: i32| [1e9 * f64::from(i * 7919 % 101).powi(3), shift + f64::from(i % 3)];
            (0..90).flat_map(row).collect()
        };
        let (real, near, far) = (rows(0.0), rows(0.0), rows(1e4));
        let table = |values| TableRows { columns: &columns, values };
        let score = |made| {
            detection(table(&real), table(made), TableLearner::Linear).unwrap().unwrap().score()
        };
        assert_eq!((score(&near), score(&far)), (1.0, 0.0));
    }

    #[test]
    fn two_rows_cannot_be_cross_validated() {
        let case = &cases()[0];
        let (all, width) = (case.real(), case.real().columns.len());
        let two = TableRows { values: &all.values[..2 * width], ..all };
        for learner in [TableLearner::Linear, TableLearner::Boosting] {
            assert_eq!(detection(all, two, learner).unwrap(), None);
            assert_eq!(detection(two, all, learner).unwrap(), None);
        }
    }

    #[test]
    fn trees_tell_shuffled_columns_from_real_rows_and_a_logistic_regression_does_not() {
        let columns = ["a", "b", "c"].map(crate::table::TableColumn::number);
        let random = |i: usize, seed: usize| ((i * 7919 + seed * 104_729) % 10_007) as f64;
        let rows = |from: usize, shift: usize| -> Vec<f64> {
            let row = |i: usize| {
                let (a, b) = (random(i, 1), random(i + shift, 1) + random(i, 2) / 10.0);
                [a, b, random(i, 3)]
            };
            (from..from + 900).flat_map(row).collect()
        };
        let (real, other, shuffled) = (rows(0, 0), rows(3000, 0), rows(5000, 577));
        let table = |values| TableRows { columns: &columns, values };
        let score = |made, learner| detection(table(&real), table(made), learner).unwrap();
        let score = |made, learner| score(made, learner).unwrap().score();
        assert!(score(&shuffled, TableLearner::Linear) > 0.85);
        assert!(score(&shuffled, TableLearner::Boosting) < 0.1);
        assert!(score(&other, TableLearner::Boosting) > 0.85);
    }
}

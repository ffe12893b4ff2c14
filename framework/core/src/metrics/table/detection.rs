use super::design::{Design, Scaling};
use super::encoding::{Encoder, Features};
use super::learner::{Learner, Target};
use super::same_columns;
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

/// Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv 1610.06545) by logistic regression,
/// cross-validated in three parts: row i of each side belongs to part i mod 3, so that rows should
/// be in random order. `None` for fewer than three rows on a side.
///
/// As in `LogisticDetection` of `sdmetrics`, a missing number is the mean of the real ones, a
/// missing category is one of its own, entries are scaled by median and distance between the
/// quartiles, and the penalty is half the squared norm of the weights beside the summed
/// cross-entropy.
///
/// # Errors
/// [`Error::Runtime`](crate::Error::Runtime) for tables of different columns.
pub fn detection(real: TableRows<'_>, generated: TableRows<'_>) -> Result<Option<Detection>> {
    same_columns(real, generated)?;
    let sizes = (real.len(), generated.len());
    if sizes.0.min(sizes.1) < FOLDS {
        return Ok(None);
    }
    let encoder = Encoder::fit(real, None);
    let rows = encoder.encode(real).followed_by(&encoder.encode(generated));
    Ok(Some(Detection { areas: (0..FOLDS).map(|fold| area_of(&rows, sizes, fold)).collect() }))
}

/// Area of the part number `fold`.
fn area_of(rows: &Features, (real, generated): (usize, usize), fold: usize) -> f64 {
    let part = |test: bool| -> (Vec<usize>, Vec<usize>) {
        let own = |from: usize, n: usize| {
            (0..n).filter(move |i| (i % FOLDS == fold) == test).map(move |i| from + i)
        };
        let index: Vec<usize> = own(0, real).chain(own(real, generated)).collect();
        let labels = index.iter().map(|row| usize::from(*row < real)).collect();
        (index, labels)
    };
    let (train, labels) = part(false);
    let train = rows.take(&train);
    let scaling = Scaling::robust(&train);
    let learner = Learner::fit(&Design::new(&train, &scaling), Target::Classes(&labels, 2));
    let (test, labels) = part(true);
    let test = rows.take(&test);
    area_under_roc(&learner.outputs(&Design::new(&test, &scaling))[0], &labels)
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
            let found = detection(case.real(), case.generated()).unwrap().unwrap();
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
        let score = |made| detection(table(&real), table(made)).unwrap().unwrap().score();
        assert_eq!((score(&near), score(&far)), (1.0, 0.0));
    }

    #[test]
    fn two_rows_cannot_be_cross_validated() {
        let case = &cases()[0];
        let (all, width) = (case.real(), case.real().columns.len());
        let two = TableRows { values: &all.values[..2 * width], ..all };
        assert_eq!(detection(all, two).unwrap(), None);
        assert_eq!(detection(two, all).unwrap(), None);
    }
}

use super::design::{Design, Scaling};
use super::encoding::Encoder;
use super::learner::{Learner, Target};
use super::same_columns;
use crate::table::TableRows;
use crate::{Error, Result};

/// Score on `test` of a linear model that predicts the column number `target` from the others and
/// is trained on `train`: for a flag or a category the macro F1 of logistic regression, the mean
/// over the classes of `test` and of the predictions, in \[0, 1\]; for a number or a time R² of
/// ridge regression, at most 1. Rows without the target do not count. `None` if none are left, or
/// there is nothing to predict: one class alone, or equal numbers.
///
/// Missing numbers are the mean of the training rows, missing categories one of their own; entries
/// are scaled by mean and deviation, with a penalty of half the squared norm of the weights (of
/// all: for ridge regression of unit weight).
///
/// # Errors
/// [`Error::Runtime`] for tables of different columns, or without the target.
pub fn efficacy(train: TableRows<'_>, test: TableRows<'_>, target: usize) -> Result<Option<f64>> {
    same_columns(train, test)?;
    let Some(column) = train.columns.get(target) else {
        let message = format!("there is no column {target} among {}", train.columns.len());
        return Err(Error::runtime(message));
    };
    let known = |rows: TableRows<'_>| {
        let all = rows.values.chunks_exact(rows.columns.len());
        all.filter(|row| !row[target].is_nan()).collect::<Vec<_>>().concat()
    };
    let (trained, tested) = (known(train), known(test));
    let (train, test) =
        (TableRows { values: &trained, ..train }, TableRows { values: &tested, ..test });
    let given: Vec<f64> = train.column(target).collect();
    let truth: Vec<f64> = test.column(target).collect();
    let varies = truth.iter().any(|v| *v != truth[0]);
    if given.is_empty() || !varies {
        return Ok(None);
    }
    let encoder = Encoder::fit(train, Some(target));
    let (train, test) = (encoder.encode(train), encoder.encode(test));
    let scaling = Scaling::standard(&train);
    let (design, unseen) = (Design::new(&train, &scaling), Design::new(&test, &scaling));
    if column.names().is_none() {
        let n = given.len() as f64;
        let mean = given.iter().sum::<f64>() / n;
        let squares = given.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        let deviation = if squares > 0.0 { (squares / n).sqrt() } else { 1.0 };
        let scaled: Vec<f64> = given.iter().map(|v| (v - mean) / deviation).collect();
        let found = Learner::fit(&design, Target::Numbers(&scaled)).outputs(&unseen);
        let predicted: Vec<f64> = found[0].iter().map(|v| v * deviation + mean).collect();
        return Ok(Some(explained(&truth, &predicted)));
    }
    let mut classes = given.clone();
    classes.sort_unstable_by(f64::total_cmp);
    classes.dedup();
    let label = |cell: &f64| classes.partition_point(|class| class < cell);
    let labels: Vec<usize> = given.iter().map(label).collect();
    let predicted: Vec<f64> = match classes[..] {
        [only] => vec![only; truth.len()],
        _ => {
            let target = Target::Classes(&labels, classes.len());
            let found = Learner::fit(&design, target).outputs(&unseen);
            let most = |row: usize| match &found[..] {
                [odds] => usize::from(odds[row] > 0.0),
                all => (1..all.len())
                    .fold(0, |best, i| if all[i][row] > all[best][row] { i } else { best }),
            };
            (0..truth.len()).map(|row| classes[most(row)]).collect()
        }
    };
    Ok(Some(macro_f1(&truth, &predicted)))
}

/// 1 − squared errors / squared deviations from the mean.
fn explained(truth: &[f64], predicted: &[f64]) -> f64 {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let errors: f64 = truth.iter().zip(predicted).map(|(y, u)| (y - u).powi(2)).sum();
    1.0 - errors / truth.iter().map(|y| (y - mean).powi(2)).sum::<f64>()
}

/// Mean over all classes of 2·hits / (number of rows of the class + number of predictions).
fn macro_f1(truth: &[f64], predicted: &[f64]) -> f64 {
    let mut classes = [truth, predicted].concat();
    classes.sort_unstable_by(f64::total_cmp);
    classes.dedup();
    let score = |class: &f64| {
        let count = |all: &[f64]| all.iter().filter(|v| *v == class).count();
        let hits = truth.iter().zip(predicted).filter(|(y, u)| y == u && *y == class).count();
        2.0 * hits as f64 / (count(truth) + count(predicted)) as f64
    };
    classes.iter().map(score).sum::<f64>() / classes.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::cases;
    use super::*;

    #[test]
    fn scores_are_those_of_scikit_learn() {
        for case in cases() {
            let expected = case.expected["efficacy"].as_array().into_iter().flatten();
            for (target, expected) in expected.enumerate() {
                for (train, key) in [(case.generated(), "generated"), (case.train(), "real")] {
                    let found = efficacy(train, case.real(), target).unwrap().unwrap();
                    let expected = expected[key].as_f64().unwrap();
                    assert!(
                        (found - expected).abs() < 1e-6,
                        "{} column {target}, {key}: {found} {expected}",
                        case.name
                    );
                }
            }
        }
    }

    #[test]
    fn f1_is_the_mean_over_the_classes_of_both_sides() {
        assert_eq!(macro_f1(&[0.0, 0.0, 1.0, 1.0], &[0.0, 0.0, 1.0, 0.0]), (0.8 + 2.0 / 3.0) / 2.0);
        assert_eq!(macro_f1(&[0.0, 0.0], &[0.0, 2.0]), (2.0 / 3.0 + 0.0) / 2.0);
    }
}

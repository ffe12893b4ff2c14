use super::design::{Design, Scaling};
use super::encoding::Encoder;
use super::learner::{Learner, Target};
use super::{TableLearner, boosting, code_of, same_columns};
use crate::table::TableRows;
use crate::{Error, Result};

/// Number of classes that are told apart, at most: the time of a learner grows with their number.
const MOST_CLASSES: usize = 100;

/// Score on `test` of a model that predicts the column number `target` from the others and is
/// trained on `train`: for a flag or a category the macro F1, the mean over the classes of `test`
/// and of the predictions, in \[0, 1\]; for a number or a time R², at most 1. Rows without the
/// target do not count. `None` if none are left, or there is nothing to predict: one class alone,
/// or equal numbers. Of more than 100 classes the most frequent of `test` are told apart, and the
/// others are one.
///
/// The linear model is logistic or ridge regression: missing numbers are the mean of the training
/// rows, missing categories one of their own; entries are scaled by mean and deviation, with a
/// penalty of half the squared norm of the weights (of all: for ridge regression of unit weight).
///
/// # Errors
/// [`Error::Runtime`] for tables of different columns, or without the target.
pub fn efficacy(
    train: TableRows<'_>,
    test: TableRows<'_>,
    target: usize,
    learner: TableLearner,
) -> Result<Option<f64>> {
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
    let mut given: Vec<f64> = train.column(target).collect();
    let mut truth: Vec<f64> = test.column(target).collect();
    if let Some(names) = column.names() {
        merge_rare(&mut truth, &mut given, names.len());
    }
    let varies = truth.iter().any(|v| *v != truth[0]);
    if given.is_empty() || !varies {
        return Ok(None);
    }
    let outputs = |truth: Target<'_>| match learner {
        TableLearner::Linear => linear((train, test), target, truth),
        TableLearner::Boosting => boosting::outputs((train, test), Some(target), truth),
    };
    if column.names().is_none() {
        let n = given.len() as f64;
        let mean = given.iter().sum::<f64>() / n;
        let squares = given.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        let deviation = if squares > 0.0 { (squares / n).sqrt() } else { 1.0 };
        let scaled: Vec<f64> = given.iter().map(|v| (v - mean) / deviation).collect();
        let found = outputs(Target::Numbers(&scaled));
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
            let found = outputs(Target::Classes(&labels, classes.len()));
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

/// Outputs for the rows of `test` of a linear model of `truth` in `train`, without the column
/// number `target`.
fn linear(
    (train, test): (TableRows<'_>, TableRows<'_>),
    target: usize,
    truth: Target<'_>,
) -> Vec<Vec<f64>> {
    let encoder = Encoder::fit(train, Some(target));
    let (train, test) = (encoder.encode(train), encoder.encode(test));
    let scaling = Scaling::standard(&train);
    Learner::fit(&Design::new(&train, &scaling), truth).outputs(&Design::new(&test, &scaling))
}

/// Where there are more than [`MOST_CLASSES`] of `count` classes, makes one of all but the most
/// frequent of `truth`.
fn merge_rare(truth: &mut [f64], given: &mut [f64], count: usize) {
    if count <= MOST_CLASSES {
        return;
    }
    let mut often = vec![0; count + 2];
    truth.iter().for_each(|class| often[code_of(*class, count)] += 1);
    let mut order: Vec<usize> = (0..often.len()).collect();
    order.sort_by_key(|class| std::cmp::Reverse(often[*class]));
    order[MOST_CLASSES..].iter().for_each(|class| often[*class] = 0);
    let all = truth.iter_mut().chain(given);
    let rare = all.filter(|class| often[code_of(**class, count)] == 0);
    rare.for_each(|class| *class = count as f64);
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
                    let found = efficacy(train, case.real(), target, TableLearner::Linear)
                        .unwrap()
                        .unwrap();
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
    fn trees_learn_a_product_and_its_sign_and_a_linear_model_does_not() {
        use crate::table::TableColumn;
        let sign = TableColumn::category("sign", ["-", "+"].map(str::to_owned).to_vec());
        let columns =
            [TableColumn::number("a"), TableColumn::number("b"), TableColumn::number("y"), sign];
        let rows = |from: usize| -> Vec<f64> {
            let row = |i: usize| {
                let a = (i * 7919 % 1009) as f64 / 504.0 - 1.0;
                let b = (i * 104_729 % 1013) as f64 / 506.0 - 1.0;
                [a, b, a * b, f64::from(a * b > 0.0)]
            };
            (from..from + 2000).flat_map(row).collect()
        };
        let (train, test) = (rows(0), rows(2000));
        let [train, test] = [&train, &test].map(|values| TableRows { columns: &columns, values });
        let narrow = |rows: TableRows<'_>, without: usize| -> Vec<f64> {
            let rows = rows.values.chunks_exact(4);
            rows.flat_map(|row| {
                (0..4).filter(|i| *i != without).map(|i| row[i]).collect::<Vec<_>>()
            })
            .collect()
        };
        for (target, without) in [(2, 3), (3, 2)] {
            let kept: Vec<TableColumn> =
                (0..4).filter(|i| *i != without).map(|i| columns[i].clone()).collect();
            let (train, test) = (narrow(train, without), narrow(test, without));
            let [train, test] = [&train, &test].map(|values| TableRows { columns: &kept, values });
            let score = |learner| efficacy(train, test, 2, learner).unwrap().unwrap();
            assert!(score(TableLearner::Linear) < 0.6, "{target}");
            assert!(
                score(TableLearner::Boosting) > 0.9,
                "{target}: {}",
                score(TableLearner::Boosting)
            );
        }
    }

    #[test]
    fn rare_classes_beyond_a_hundred_are_one() {
        // 150 classes: 0 to 98 twice, the others once, of which the first is the hundredth.
        let all: Vec<f64> = (0..150).chain(0..99).map(f64::from).collect();
        let (mut truth, mut given) = (all.clone(), vec![0.0, 98.0, 99.0, 100.0, 149.0]);
        merge_rare(&mut truth, &mut given, 150);
        assert_eq!(given, [0.0, 98.0, 99.0, 150.0, 150.0]);
        assert_eq!(truth.iter().filter(|class| **class == 150.0).count(), 50);
        let mut few = all.clone();
        merge_rare(&mut few, &mut [], 100);
        assert_eq!(few, all);
    }

    #[test]
    fn f1_is_the_mean_over_the_classes_of_both_sides() {
        assert_eq!(macro_f1(&[0.0, 0.0, 1.0, 1.0], &[0.0, 0.0, 1.0, 0.0]), (0.8 + 2.0 / 3.0) / 2.0);
        assert_eq!(macro_f1(&[0.0, 0.0], &[0.0, 2.0]), (2.0 / 3.0 + 0.0) / 2.0);
    }
}

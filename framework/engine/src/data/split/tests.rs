use super::*;
use crate::component::{Portion, Strata};
use crate::data::places::by_number;
use std::collections::BTreeMap;

fn split(train: Option<f64>, val: Option<f64>, test: Option<f64>) -> Split {
    let [train, val, test] = [train, val, test].map(|share| share.map(Portion::Share));
    Split { train, val, test, ..Split::default() }
}

fn table(n: i64) -> Columns {
    let x = Tensor::arange(n, (Kind::Float, tch::Device::Cpu)).view([n, 1]);
    Columns { x: Some(x), ..Columns::default() }
}

fn rows(table: &Columns) -> Vec<f64> {
    Vec::try_from(table.x.as_ref().unwrap().view(-1).to_kind(Kind::Double)).unwrap()
}

/// The sets of rows with these cells in the column of the split.
fn sets(cells: &[f64], split: &Split, seed: u64) -> Result<[Vec<usize>; 3]> {
    let column = SplitColumn::of_numbers("key", cells.to_vec());
    let train = Columns { split: Some(column), ..table(cells.len() as i64) };
    let splits = Splits { train, ..Splits::default() };
    let (sets, _) = divide(splits, split, seed, &by_number)?;
    Ok(sets.map(|set| rows(&set).into_iter().map(|row| row as usize).collect()))
}

/// Checks that the sets are disjoint and hold all of `n` rows.
fn check_complete(sets: &[Vec<usize>; 3], n: usize) {
    let mut all: Vec<usize> = sets.iter().flatten().copied().collect();
    all.sort_unstable();
    assert_eq!(all, (0..n).collect::<Vec<_>>());
}

/// Cells from 0 to `values` − 1, the smaller the more frequent.
fn uneven(n: usize, values: usize) -> Vec<f64> {
    let cell = |i: usize| ((i * 7919 % 1009) as f64 / 1009.0).powi(2) * values as f64;
    (0..n).map(|i| cell(i).floor()).collect()
}

#[test]
fn sets_are_disjoint_and_hold_every_row() {
    for n in [1, 2, 3, 4, 5, 64, 178] {
        let splits = Splits { train: table(n), ..Splits::default() };
        let (sets, _) = divide(splits, &split(None, None, None), 7, &by_number).unwrap();
        let mut all: Vec<f64> = sets.iter().flat_map(rows).collect();
        all.sort_by(f64::total_cmp);
        assert_eq!(all, (0..n).map(|i| i as f64).collect::<Vec<_>>(), "{n}");
    }
}

#[test]
fn lengths_for_another_number_of_rows_are_refused() {
    for n in [4, 6] {
        let lengths = Some(Tensor::ones([n], (Kind::Int64, tch::Device::Cpu)));
        let train = Columns { x_lengths: lengths, ..table(5) };
        let splits = Splits { train, ..Splits::default() };
        let error =
            divide(splits, &split(None, None, None), 1, &by_number).err().unwrap().to_string();
        assert!(error.starts_with(&format!("the lengths of x have shape [{n}], for 5 rows")));
    }
}

#[test]
fn a_test_set_of_its_own_leaves_all_rows_to_training() {
    let splits = || Splits { train: table(120), test: Some(table(58)), ..Splits::default() };
    let sizes = |split: &Split| {
        let (sets, written) = divide(splits(), split, 7, &by_number).unwrap();
        (sets.map(|set| rows(&set).len()), written)
    };
    let (sizes_of, written) = sizes(&split(None, None, None));
    assert_eq!(sizes_of, [120, 0, 58]);
    assert_eq!(written, split(Some(1.0), Some(0.0), Some(0.0)));
    // The shares in the run's configuration give the same split again.
    assert_eq!(sizes(&written), (sizes_of, written.clone()));
    assert_eq!(sizes(&split(None, Some(0.1), None)).0, [108, 12, 58]);
    assert_eq!(sizes(&split(Some(0.8), Some(0.1), Some(0.1))).0, [96, 12, 58]);
}

#[test]
fn strata_keep_the_shares_to_within_a_row_and_each_has_a_training_row() {
    for (n, values) in [(40, 3), (500, 7), (1000, 400), (90, 90), (3, 1)] {
        for shares in [[0.8, 0.1, 0.1], [0.34, 0.33, 0.33], [0.5, 0.0, 0.2], [0.9, 0.1, 0.0]] {
            let cells = uneven(n, values);
            let [train, val, test] = shares.map(Some);
            let split = Split { stratify: Strata::Column("key".into()), ..split(train, val, test) };
            let sets = sets(&cells, &split, 3).unwrap();
            let mut sizes: BTreeMap<u64, [f64; 4]> = BTreeMap::new();
            for cell in &cells {
                sizes.entry(cell.to_bits()).or_default()[3] += 1.0;
            }
            for (own, rows) in sets.iter().enumerate() {
                rows.iter()
                    .for_each(|row| sizes.get_mut(&cells[*row].to_bits()).unwrap()[own] += 1.0);
            }
            for size in sizes.values() {
                for (own, share) in shares.iter().enumerate() {
                    assert!((size[own] - share * size[3]).abs() < 1.0, "{size:?} {shares:?}");
                }
                assert!(size[0] > 0.0, "{size:?}");
            }
            // Rounding within the strata does not add up, unless most have a single row.
            if n >= 10 * values {
                for (rows, share) in sets.iter().zip(shares) {
                    assert!((rows.len() as f64 - share * n as f64).abs() <= 2.0, "{n} {shares:?}");
                }
            }
            if shares.iter().sum::<f64>() > 0.99 {
                check_complete(&sets, n);
            }
        }
    }
}

#[test]
fn classes_are_strata_of_their_own() {
    let y = Tensor::from_slice(&[0_i64, 1]).repeat([50]);
    let train = Columns { y: Some(y.shallow_clone()), ..table(100) };
    let split = Split { stratify: Strata::Classes, ..Split::default() };
    let splits = Splits { train, ..Splits::default() };
    let (sets, _) = divide(splits, &split, 1, &by_number).unwrap();
    let ones = sets.map(|set| set.y.unwrap().sum(Kind::Int64).int64_value(&[]));
    assert_eq!(ones, [40, 5, 5]);
    let without = divide(Splits { train: table(9), ..Splits::default() }, &split, 1, &by_number);
    assert!(without.unwrap_err().to_string().contains("true needs class labels"));
}

#[test]
fn no_group_is_in_two_sets_and_each_set_has_one() {
    for (n, groups) in [(200, 40), (200, 3), (30, 30), (1000, 10), (9, 2), (5, 1)] {
        for seed in 0..5 {
            let cells = uneven(n, groups);
            let split = Split { group: Some("key".into()), seed: None, ..Split::default() };
            let sets = sets(&cells, &split, seed).unwrap();
            check_complete(&sets, n);
            let keys = |rows: &Vec<usize>| -> Vec<u64> {
                let mut keys: Vec<u64> = rows.iter().map(|row| cells[*row].to_bits()).collect();
                keys.sort_unstable();
                keys.dedup();
                keys
            };
            let all: Vec<u64> = sets.iter().flat_map(keys).collect();
            let distinct = keys(&(0..n).collect());
            assert_eq!(all.len(), distinct.len(), "a group is in two sets");
            let held_out = distinct.len().min(3) - 1;
            assert_eq!(sets[1..].iter().filter(|set| !set.is_empty()).count(), held_out);
        }
    }
    let groups: Vec<f64> = (0..500).map(|i| f64::from(i / 5)).collect();
    let split = Split { group: Some("key".into()), ..Split::default() };
    assert_eq!(sets(&groups, &split, 1).unwrap().map(|set| set.len()), [400, 50, 50]);
}

#[test]
fn held_out_rows_are_later_than_those_before_them() {
    let cells: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 100)).collect();
    let timed = |shares: [f64; 3]| {
        let [train, val, test] = shares.map(Some);
        sets(&cells, &Split { time: Some("key".into()), ..split(train, val, test) }, 1).unwrap()
    };
    let range = |rows: &Vec<usize>| {
        let times = rows.iter().map(|row| cells[*row]);
        (times.clone().fold(f64::MAX, f64::min), times.fold(f64::MIN, f64::max))
    };
    let usual = timed([0.8, 0.1, 0.1]);
    check_complete(&usual, 100);
    assert_eq!(usual.each_ref().map(range), [(0.0, 79.0), (80.0, 89.0), (90.0, 99.0)]);
    // Rows that are left out are the oldest.
    assert_eq!(timed([0.5, 0.1, 0.1]).each_ref().map(range)[0], (30.0, 79.0));
}

#[test]
fn a_column_names_the_sets_or_has_the_values_that_are_listed() {
    let divided = |texts: &[&str], split: &Split| {
        let column = SplitColumn::of_texts("key", texts);
        let train = Columns { split: Some(column), ..table(texts.len() as i64) };
        let (sets, written) = divide(Splits { train, ..Splits::default() }, split, 1, &by_number)?;
        assert_eq!(written, *split);
        Ok(sets.map(|set| {
            let mut rows: Vec<usize> = rows(&set).into_iter().map(|row| row as usize).collect();
            rows.sort_unstable();
            rows
        }))
    };
    let by = Split { by: Some("key".into()), ..Split::default() };
    let named = divided(&["Train", "test", "validation", "training"], &by).unwrap();
    assert_eq!(named, [vec![0, 3], vec![2], vec![1]]);
    let values = |all: &[&str]| Some(Portion::Values(all.iter().map(|v| (*v).into()).collect()));
    let folds = Split { val: values(&["3"]), test: values(&["4.0"]), ..by.clone() };
    let texts = ["4", "1", "3", "4", "", "2"];
    assert_eq!(divided(&texts, &folds).unwrap(), [vec![1, 4, 5], vec![2], vec![0, 3]]);
    let some = Split { train: values(&["1"]), ..folds.clone() };
    assert_eq!(divided(&texts, &some).unwrap(), [vec![1], vec![2], vec![0, 3]]);
    let wrong = |texts: &[&str], split: &Split| -> String {
        let result: Result<_> = divided(texts, split);
        result.unwrap_err().to_string()
    };
    assert!(wrong(&["train", "tst"], &by).contains("`tst`, which is neither train, val nor test"));
    let unknown = Split { val: values(&["9"]), ..by.clone() };
    assert!(wrong(&texts, &unknown).contains("no row has `key` = `9`"));
    let twice = Split { val: values(&["1"]), test: values(&["1"]), ..by.clone() };
    assert!(wrong(&texts, &twice).contains("`1` is listed for val and for test"));
    let share = Split { val: Some(Portion::Share(0.5)), ..by.clone() };
    assert!(wrong(&texts, &share).contains("needs a list of values"));
    let all = Split { val: values(&["a"]), train: values(&["b"]), ..by };
    assert!(wrong(&["a", "a"], &all).contains("no row has `key` = `b`"));
}

#[test]
fn rows_are_the_same_for_every_seed_unless_asked() {
    let cells = uneven(200, 20);
    let column = || Some("key".to_owned());
    let ways = [
        Split::default(),
        Split { group: column(), ..Split::default() },
        Split { stratify: Strata::Column("key".into()), ..Split::default() },
        Split { time: column(), ..Split::default() },
    ];
    for split in ways {
        let of = |split: &Split, seed| sets(&cells, split, seed).unwrap();
        assert_eq!(of(&split, 1), of(&split, 2), "{split:?}");
        let own = Split { seed: None, ..split.clone() };
        assert_ne!(of(&own, 1), of(&own, 2), "{own:?}");
        assert_eq!(of(&own, 42), of(&split, 7), "{own:?}");
        let other = Split { seed: Some(1), ..split };
        assert_eq!(of(&own, 1), of(&other, 7), "{own:?}");
    }
}

#[test]
fn a_column_that_cannot_divide_the_rows_is_refused() {
    let gap = [1.0, f64::NAN, 2.0];
    let message = |cells: &[f64], split: &Split| sets(cells, split, 1).unwrap_err().to_string();
    let group = Split { group: Some("key".into()), ..Split::default() };
    assert!(message(&gap, &group).contains("`key` is missing in 1 of 3 rows, first in row"));
    let time = Split { time: Some("key".into()), ..Split::default() };
    assert!(message(&gap, &time).contains("`key` is missing in 1 of 3 rows, first in row"));
    let none = divide(Splits { train: table(3), ..Splits::default() }, &time, 1, &by_number);
    assert!(none.unwrap_err().to_string().contains("yields no column `key`"));
    let of_names = |names: &[&str]| {
        let split = Some(SplitColumn::of_texts("key", names));
        let splits = Splits { train: Columns { split, ..table(2) }, ..Splits::default() };
        divide(splits, &time, 1, &by_number).map(|(sets, _)| rows(&sets[0]))
    };
    assert!(of_names(&["May", "June"]).unwrap_err().to_string().contains("which is no time"));
    assert_eq!(of_names(&["2024-12-31", "2023-01-01T10:00"]).unwrap(), [1.0]);
}

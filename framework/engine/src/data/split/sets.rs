//! The rows of each set, where a column decides.

use super::super::places::Places;
use crate::component::{Portion, Split, SplitColumn};
use crate::error::{Error, Result, suggestion};
use std::collections::BTreeMap;

/// Names of the sets, each with other words for it.
const SETS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("val", &["val", "valid", "validation", "dev"]),
    ("test", &["test", "testing"]),
];

/// Largest number of values that a message lists.
const MOST_SHOWN: usize = 20;

/// Lists of the rows in each set, in the order of `order`; `set` is that of each row, `None` for a
/// row in none.
fn lists(order: &[i64], set: &[Option<usize>]) -> [Vec<i64>; 3] {
    let rows = |own: usize| {
        let is_in = |row: &&i64| set.get(**row as usize) == Some(&Some(own));
        order.iter().filter(is_in).copied().collect()
    };
    [rows(0), rows(1), rows(2)]
}

/// Rows by the value of their cell, each list in the order of `order`.
fn by_cell(order: &[i64], cells: &[f64]) -> BTreeMap<u64, Vec<usize>> {
    let mut all: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for row in order.iter().map(|row| *row as usize) {
        // Adding 0 makes −0 the same as 0.
        let cell = if cells[row].is_nan() { f64::NAN } else { cells[row] + 0.0 };
        all.entry(cell.to_bits()).or_default().push(row);
    }
    all
}

/// Sets with these `shares` of the rows of each value, to the next whole numbers up or down, such
/// that the sums over all values differ from the shares as little as possible. Each value has a
/// training row.
pub(super) fn stratified(order: &[i64], cells: &[f64], shares: [f64; 3]) -> [Vec<i64>; 3] {
    let rest = (1.0 - shares.iter().sum::<f64>()).max(0.0);
    let shares = [shares[0], shares[1], shares[2], rest];
    let mut set = vec![None; order.len()];
    // Rows of each set that are still due.
    let mut due = [0.0; 4];
    for rows in by_cell(order, cells).values() {
        let exact = shares.map(|share| share * rows.len() as f64);
        // Without the error of rounding of 0.1 · 30.
        let mut count = exact.map(|exact| (exact + 1e-9).floor() as usize);
        for (due, exact) in due.iter_mut().zip(exact) {
            *due += exact;
        }
        let is_open = |count: &[usize; 4], i: usize| count[i] as f64 + 1e-9 < exact[i];
        if count[0] == 0 && shares[0] > 0.0 {
            count[0] = 1;
        }
        while count.iter().sum::<usize>() < rows.len() {
            let open = (0..4).filter(|i| is_open(&count, *i));
            let lack = |i: &usize| due[*i] - count[*i] as f64;
            let Some(next) = open.max_by(|a, b| lack(a).total_cmp(&lack(b))) else { break };
            count[next] += 1;
        }
        for (due, count) in due.iter_mut().zip(count) {
            *due -= count as f64;
        }
        let sets = (0..3).flat_map(|own| std::iter::repeat_n(own, count[own]));
        for (row, own) in rows.iter().zip(sets) {
            set[*row] = Some(own);
        }
    }
    lists(order, &set)
}

/// Sets of about these `sizes` in which all rows of a value are together.
pub(super) fn grouped(order: &[i64], column: &SplitColumn, sizes: [i64; 3]) -> [Vec<i64>; 3] {
    let groups = by_cell(order, &column.cells);
    let first_of = |rows: &Vec<usize>| rows.first().copied().unwrap_or_default();
    let mut place = vec![0; order.len()];
    for (i, row) in order.iter().enumerate() {
        place[*row as usize] = i;
    }
    // Random: by the place of their first rows.
    let mut groups: Vec<&Vec<usize>> = groups.values().collect();
    groups.sort_by_key(|rows| place[first_of(rows)]);
    let mut set = vec![None; order.len()];
    // The last is the set of the rows that are left out.
    let sizes = [sizes[0], sizes[1], sizes[2], order.len() as i64 - sizes.iter().sum::<i64>()];
    let mut room = sizes;
    let mut is_empty = [true, true, true];
    for (i, rows) in groups.iter().enumerate() {
        // The most important sets that would stay empty: training, then test, then validation.
        let wanting = [0, 2, 1].into_iter().filter(|own| sizes[*own] > 0 && is_empty[*own]);
        let mut wanting = wanting.collect::<Vec<_>>().into_iter();
        let used = (0..4).rev().filter(|own| sizes[*own] > 0);
        let roomiest = used.max_by_key(|own| room[*own]).unwrap_or_default();
        let own = match groups.len() - i <= wanting.len() {
            true => wanting.next().unwrap_or(roomiest),
            false => roomiest,
        };
        room[own] -= rows.len() as i64;
        if own < 3 {
            is_empty[own] = false;
            rows.iter().for_each(|row| set[*row] = Some(own));
        }
    }
    lists(order, &set)
}

/// Sets of these `sizes`: the last rows by their cells are the test set, those before them the
/// validation set. Equal cells stay in the order of the file.
pub(super) fn in_time(order: &[i64], column: &SplitColumn, sizes: [i64; 3]) -> [Vec<i64>; 3] {
    let mut rows: Vec<usize> = (0..order.len()).collect();
    rows.sort_by(|a, b| column.cells[*a].total_cmp(&column.cells[*b]));
    let mut set = vec![None; order.len()];
    let newest =
        [2, 1, 0].into_iter().flat_map(|own| std::iter::repeat_n(own, sizes[own] as usize));
    for (row, own) in rows.iter().rev().zip(newest) {
        set[*row] = Some(own);
    }
    lists(order, &set)
}

/// Sets as the cells say: by the name of a set, or by the values that `split` lists.
pub(super) fn by_value(
    order: &[i64],
    column: &SplitColumn,
    (split, places): (&Split, Places<'_>),
    own: [bool; 2],
) -> Result<[Vec<i64>; 3]> {
    let portions = [&split.train, &split.val, &split.test];
    let mut listed = [None, None, None];
    for (i, portion) in portions.into_iter().enumerate() {
        listed[i] = match portion {
            None => None,
            Some(Portion::Values(values)) => Some(values),
            Some(Portion::Share(_)) => {
                let message = "needs a list of values of the column that `by` names, as [4]";
                return Err(Error::config(format!("data.split.{}", SETS[i].0), message));
            }
        };
    }
    let groups = by_cell(order, &column.cells);
    let texts: Vec<(String, &Vec<usize>)> =
        groups.iter().map(|(cell, rows)| (column.text(f64::from_bits(*cell)), rows)).collect();
    let is_same = |text: &str, value: &str| {
        text == value
            || match (text.parse::<f64>(), value.parse::<f64>()) {
                (Ok(text), Ok(value)) => text == value,
                _ => false,
            }
    };
    let is_named = listed.iter().all(Option::is_none);
    for (name, values) in SETS.iter().map(|(name, _)| name).zip(listed) {
        let lacks = |value: &&String| !texts.iter().any(|(text, _)| is_same(text, value));
        if let Some(value) = values.and_then(|values| values.iter().find(lacks)) {
            let known = texts.iter().map(|(text, _)| text.as_str()).take(MOST_SHOWN);
            let help = suggestion(value, "values", known);
            let message = format!("no row has `{}` = `{value}`; {help}", column.column.name);
            return Err(Error::config(format!("data.split.{name}"), message));
        }
    }
    let mut set = vec![None; order.len()];
    for (text, rows) in &texts {
        let is_in = |i: usize| match (is_named, listed[i]) {
            (true, _) => SETS[i].1.contains(&text.trim().to_lowercase().as_str()),
            (false, Some(values)) => values.iter().any(|value| is_same(text, value)),
            (false, None) => false,
        };
        let sets: Vec<usize> = (0..3).filter(|i| is_in(*i)).collect();
        let own = match sets[..] {
            [one] => Some(one),
            [first, second, ..] => {
                let (first, second) = (SETS[first].0, SETS[second].0);
                let message = format!("`{text}` is listed for {first} and for {second}");
                return Err(Error::config("data.split", message));
            }
            [] if is_named => {
                let name = &column.column.name;
                let shown = if text.is_empty() { "a missing cell" } else { text };
                let place = places.of(rows.iter().copied().min().unwrap_or(0));
                let message = format!(
                    "`{name}` holds `{shown}`, which is neither train, val nor test, first in \
                     {place}"
                );
                return Err(Error::config("data.split.by", message)
                    .help("list the values of each set, as { by: fold, val: [3], test: [4] }"));
            }
            [] => listed[0].is_none().then_some(0),
        };
        rows.iter().for_each(|row| set[*row] = own);
    }
    let sets = lists(order, &set);
    for (i, name) in [(1, "val"), (2, "test")] {
        if own[i - 1] && !sets[i].is_empty() {
            let message = format!("the data have {name} rows of their own");
            return Err(Error::config(format!("data.split.{name}"), message)
                .help("leave out one of the two"));
        }
    }
    Ok(sets)
}

//! Findings on missing results: cells that failed, and cells that are not measured yet.

use super::results::{Cell, Results};
use super::summary::Finding;
use super::words::{NAMES, Words, listed};
use crate::plot::style::counted;

/// Subject of the finding on failed cells.
const FAILED: &str = "Failed";
const UNFINISHED: &str = "Unfinished";

/// Findings on cells that are not measured with every seed yet, and on cells that failed, with
/// reasons.
pub fn missing(results: &Results) -> [Option<Finding>; 2] {
    let waiting = told(results, UNFINISHED, "not measured with every seed yet", &|cell| {
        let seeds: Vec<_> = cell.waiting.iter().map(u64::to_string).collect();
        let word = if seeds.len() == 1 { "seed" } else { "seeds" };
        (!seeds.is_empty()).then(|| format!("{word} {}", seeds.join(", ")))
    });
    let failed = told(results, FAILED, "failed", &|cell| {
        let first = cell.errors.first()?.trim_end_matches('.');
        Some(match cell.errors.len() {
            ..=1 => first.to_owned(),
            n => format!("{first} and {} more", n - 1),
        })
    });
    [waiting, failed]
}

fn told(
    results: &Results,
    about: &'static str,
    how: &str,
    why: &dyn Fn(&Cell) -> Option<String>,
) -> Option<Finding> {
    let cells = results.cells.iter().filter_map(|cell| Some((cell, why(cell)?)));
    let cells: Vec<_> = cells.collect();
    if cells.is_empty() {
        return None;
    }
    let words = Words::default().say(format!("{} {how}: ", counted(cells.len(), "cell")));
    let each = cells.iter().take(NAMES);
    let each = each.map(|(cell, why)| Words::default().name(&cell.name).say(format!(" ({why})")));
    let words = listed(words, each.collect());
    let words = match cells.len().checked_sub(NAMES) {
        Some(left) if left > 0 => words.say(format!(" and {left} more")),
        _ => words,
    };
    Some(Finding { about, words: words.say(".") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::example;

    #[test]
    fn a_cell_that_failed_or_waits_is_told_with_the_reason() {
        let mut results = example();
        for cell in &mut results.cells {
            cell.errors.clear();
        }
        assert_eq!(missing(&results), [None, None]);
        let (a, b) = (results.cells[0].name.clone(), results.cells[1].name.clone());
        results.cells[0].errors = vec!["seed 3: out of memory.".to_owned(), "seed 4: again".into()];
        results.cells[1].waiting = vec![3, 5];
        let said = missing(&results).map(|finding| finding.unwrap().words.to_string());
        assert_eq!(said[0], format!("1 cell not measured with every seed yet: {b} (seeds 3, 5)."));
        assert_eq!(said[1], format!("1 cell failed: {a} (seed 3: out of memory and 1 more)."));
    }
}

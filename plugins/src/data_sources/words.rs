//! Class labels from their texts: numbers, booleans or other words.

use super::files::labels;
use std::collections::HashMap;
use std::path::Path as FsPath;
use triflow::prelude::*;

/// Largest class label: whole numbers above it are not exact in float64.
const MAX_LABEL: f64 = 9e15;

/// Usual names of y, to propose one in advice.
const USUAL_Y: [&str; 13] = [
    "label",
    "labels",
    "class",
    "target",
    "targets",
    "species",
    "category",
    "kind",
    "type",
    "outcome",
    "output",
    "response",
    "diagnosis",
];

/// The most likely name of y: a usual one, else the last.
pub(super) fn likely_y(names: &[String]) -> Option<&str> {
    let is_usual = |name: &&String| USUAL_Y.contains(&name.to_lowercase().as_str());
    names.iter().find(is_usual).or(names.last()).map(String::as_str)
}

/// Class labels as texts, row by row; each distinct text is held once.
#[derive(Default)]
pub(super) struct Words {
    /// Number of each text, in the order of occurrence.
    number: HashMap<String, usize>,
    /// Number of the text of each row.
    rows: Vec<usize>,
}

impl Words {
    /// Appends the label of the next row.
    pub(super) fn add(&mut self, word: &str) {
        let next = self.number.len();
        let number = match self.number.get(word) {
            Some(number) => *number,
            None => *self.number.entry(word.to_owned()).or_insert(next),
        };
        self.rows.push(number);
    }

    /// Labels `[n]` int64 and the names of their classes in alphabetical order; whole numbers are
    /// labels without names. `what` describes them in errors, such as "column `kind`".
    ///
    /// # Errors
    /// All are numbers, and one of them is not whole or too large.
    pub(super) fn labels(self, path: &FsPath, what: &str) -> Result<(Tensor, Vec<String>)> {
        let mut words: Vec<(String, usize)> = self.number.into_iter().collect();
        words.sort_unstable();
        let values: Option<Vec<f64>> = words
            .iter()
            .map(|(word, _)| word.parse().ok().filter(|v: &f64| v.is_finite()))
            .collect();
        let mut label_of = vec![0; words.len()];
        let Some(values) = values else {
            for (label, (_, i)) in words.iter().enumerate() {
                label_of[*i] = label as i64;
            }
            let rows: Vec<i64> = self.rows.into_iter().map(|i| label_of[i]).collect();
            let names = words.into_iter().map(|(word, _)| word).collect();
            return Ok((labels(path, what, &rows)?, names));
        };
        for ((word, i), value) in words.iter().zip(values) {
            if value.fract() != 0.0 || value.abs() > MAX_LABEL {
                let row = self.rows.iter().position(|row| row == i).unwrap_or_default();
                return Err(Error::data(
                    path,
                    format!(
                        "{what}: row {row} (counted from 0) holds {word}, which is not a class \
                         label: class labels are whole numbers or texts; set data.labels=false \
                         to read numbers"
                    ),
                ));
            }
            label_of[*i] = value as i64;
        }
        let rows: Vec<i64> = self.rows.into_iter().map(|i| label_of[i]).collect();
        Ok((labels(path, what, &rows)?, Vec::new()))
    }
}

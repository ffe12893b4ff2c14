//! Class labels as they are written: numbers, booleans or other texts.

use super::files::labels;
use std::collections::HashMap;
use std::path::Path as FsPath;
use triflow::io::csv::number;
use triflow::prelude::*;

/// Larger numbers are not told apart as floating-point ones.
const LARGEST: f64 = 9e15;

/// Names that y often has, to propose one.
const OFTEN_Y: [&str; 13] = [
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

/// The name that is most likely that of y: a usual one, else the last.
pub(super) fn likely_y(names: &[String]) -> Option<&str> {
    let often = |name: &&String| OFTEN_Y.contains(&name.to_lowercase().as_str());
    names.iter().find(often).or(names.last()).map(String::as_str)
}

/// Labels row by row, each text held once.
#[derive(Default)]
pub(super) struct Words {
    number: HashMap<String, usize>,
    rows: Vec<usize>,
}

impl Words {
    pub(super) fn add(&mut self, word: &str) {
        let next = self.number.len();
        let number = match self.number.get(word) {
            Some(number) => *number,
            None => *self.number.entry(word.to_owned()).or_insert(next),
        };
        self.rows.push(number);
    }

    /// Labels `[n]` and the names of their classes, by the alphabet; whole numbers are labels without names.
    /// `what` names them in errors, as "column `kind`".
    pub(super) fn labels(
        self,
        path: &FsPath,
        what: &str,
        decimal_comma: bool,
    ) -> Result<(Tensor, Vec<String>)> {
        let mut words: Vec<(String, usize)> = self.number.into_iter().collect();
        words.sort_unstable();
        let values: Option<Vec<f64>> = words
            .iter()
            .map(|(word, _)| number(word, decimal_comma).filter(|v| v.is_finite()))
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
            if value.fract() != 0.0 || value.abs() > LARGEST {
                let row = self.rows.iter().position(|row| row == i).unwrap_or_default();
                return Err(Error::data(
                    path,
                    format!(
                        "{what}: row {row} (counted from 0) holds {word}, which is no class label: those are \
                         whole numbers or texts; numbers are read with data.labels=false"
                    ),
                ));
            }
            label_of[*i] = value as i64;
        }
        let rows: Vec<i64> = self.rows.into_iter().map(|i| label_of[i]).collect();
        Ok((labels(path, what, &rows)?, Vec::new()))
    }
}

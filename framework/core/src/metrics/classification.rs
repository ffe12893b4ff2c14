//! Metrics of a classifier from its logits, one row per example and one column per class. A label
//! is the index of a class.

use super::Points;
use crate::{Error, Result};

/// Predicted class of each row: the one with the highest logit, and the first of those on ties.
pub fn predictions(logits: Points) -> Vec<usize> {
    logits
        .rows()
        .map(|row| (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }))
        .collect()
}

/// Share of examples whose predicted class is the label, in \[0, 1\].
///
/// # Errors
/// [`Error::Runtime`] unless there is one label a row, each the index of a class.
pub fn accuracy(logits: Points, labels: &[i64]) -> Result<f64> {
    Ok(correct(logits, labels)? as f64 / labels.len() as f64)
}

/// Share of examples whose predicted class is not the label, in \[0, 1\].
///
/// # Errors
/// [`Error::Runtime`] unless there is one label a row, each the index of a class.
pub fn error_rate(logits: Points, labels: &[i64]) -> Result<f64> {
    Ok((labels.len() - correct(logits, labels)?) as f64 / labels.len() as f64)
}

fn correct(logits: Points, labels: &[i64]) -> Result<usize> {
    let labels = class_indices(logits, labels)?;
    Ok(predictions(logits).iter().zip(&labels).filter(|(p, l)| p == l).count())
}

/// Mean of -ln softmax(logits)\[label\], in nats.
///
/// # Errors
/// [`Error::Runtime`] unless there is one label a row, each the index of a class.
pub fn cross_entropy(logits: Points, labels: &[i64]) -> Result<f64> {
    let labels = class_indices(logits, labels)?;
    let total: f64 = logits
        .rows()
        .zip(&labels)
        .map(|(row, &label)| {
            let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|v| (v - highest).exp()).sum();
            sum.ln() + (highest - row[label])
        })
        .sum();
    Ok(total / labels.len() as f64)
}

/// Confusion matrix: number of examples of each class (first index) that are predicted as each
/// class (second index).
///
/// # Errors
/// [`Error::Runtime`] unless there is one label a row, each the index of a class.
pub fn confusion_counts(logits: Points, labels: &[i64]) -> Result<Vec<Vec<u64>>> {
    let labels = class_indices(logits, labels)?;
    let mut counts = vec![vec![0; logits.dim()]; logits.dim()];
    for (predicted, label) in predictions(logits).into_iter().zip(labels) {
        counts[label][predicted] += 1;
    }
    Ok(counts)
}

pub(super) fn class_indices(logits: Points, labels: &[i64]) -> Result<Vec<usize>> {
    if labels.len() != logits.len() {
        return Err(Error::runtime(format!(
            "{} labels for {} rows of logits; there must be one each",
            labels.len(),
            logits.len()
        )));
    }
    labels
        .iter()
        .enumerate()
        .map(|(i, &label)| {
            usize::try_from(label).ok().filter(|l| *l < logits.dim()).ok_or_else(|| {
                Error::runtime(format!(
                    "label {label} of example {i} is none of the {} classes 0..={}",
                    logits.dim(),
                    logits.dim() - 1
                ))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, flat, golden, number, points};
    use super::*;

    #[test]
    fn golden_values_hold_ties_included() {
        let golden = &golden()["classification"];
        let logits = flat(&golden["logits"]);
        let logits = points(&logits, 3);
        let labels: Vec<i64> = flat(&golden["labels"]).iter().map(|l| *l as i64).collect();
        let expected: Vec<usize> =
            flat(&golden["argmax_first_tie"]).iter().map(|l| *l as usize).collect();
        assert_eq!(predictions(logits), expected);
        close(accuracy(logits, &labels).unwrap(), number(&golden["accuracy"]));
        close(error_rate(logits, &labels).unwrap(), 1.0 - number(&golden["accuracy"]));
        close(cross_entropy(logits, &labels).unwrap(), number(&golden["cross_entropy"]));
        let counts = confusion_counts(logits, &labels).unwrap();
        assert_eq!(counts, [[1, 0, 1], [0, 1, 0], [1, 0, 0]]);
        assert_eq!(
            confusion_counts(logits, &[1, 0, 0, 0]).unwrap(),
            [[2, 0, 1], [0, 1, 0], [0, 0, 0]]
        );
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let logits = [1000.0, 0.0, -1000.0, 1000.0];
        close(cross_entropy(points(&logits, 2), &[1, 0]).unwrap(), 1500.0);
    }

    #[test]
    fn labels_that_do_not_fit_are_refused() {
        let logits = [0.0, 1.0, 2.0, 3.0];
        let message =
            |labels: &[i64]| accuracy(points(&logits, 2), labels).unwrap_err().to_string();
        assert!(message(&[0]).contains("1 labels for 2 rows"));
        assert!(message(&[0, 2]).contains("label 2 of example 1"));
        assert!(message(&[-1, 0]).contains("label -1 of example 0"));
    }
}
